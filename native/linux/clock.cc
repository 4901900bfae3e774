// SPDX-License-Identifier: Apache-2.0
// Clocks: to the nanosecond, also while asleep, and the hardware clock by rtc(4).

#include <fcntl.h>
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <time.h>

#include <array>

#include "addon.h"
#include "descriptor.h"

namespace concierge {

namespace {

constexpr int64_t kSecond = 1'000'000'000;

template <clockid_t Clock>
Napi::Value Read(const Napi::CallbackInfo& info) {
  struct timespec now;
  clock_gettime(Clock, &now);
  return Napi::BigInt::New(info.Env(), static_cast<int64_t>(now.tv_sec) * kSecond + now.tv_nsec);
}

// (nanoseconds: bigint). Changing the time takes a lock of the kernel, and no disk.
Napi::Value SetWallClock(const Napi::CallbackInfo& info) {
  const int64_t time = Int64(info[0]);
  int64_t seconds = time / kSecond;
  int64_t rest = time % kSecond;
  if (rest < 0) {
    rest += kSecond;
    seconds--;
  }
  const struct timespec value = {static_cast<time_t>(seconds), static_cast<long>(rest)};
  if (clock_settime(CLOCK_REALTIME, &value) < 0) throw SystemError("clock_settime");
  return info.Env().Undefined();
}

// (nanoseconds: bigint): by so much, from whatever it is at that moment.
Napi::Value StepWallClock(const Napi::CallbackInfo& info) {
  const int64_t by = Int64(info[0]);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t time = static_cast<int64_t>(now.tv_sec) * kSecond + now.tv_nsec + by;
  const int64_t rest = ((time % kSecond) + kSecond) % kSecond;
  const struct timespec value = {static_cast<time_t>((time - rest) / kSecond), static_cast<long>(rest)};
  if (clock_settime(CLOCK_REALTIME, &value) < 0) throw SystemError("clock_settime");
  return info.Env().Undefined();
}

Descriptor OpenClock(const std::string& path) {
  Descriptor clock(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!clock) throw SystemError("open", path);
  return clock;
}

struct rtc_time ReadTime(const Descriptor& clock, const std::string& path) {
  struct rtc_time time = {};
  if (Retry([&] { return ioctl(clock.get(), RTC_RD_TIME, &time); }) < 0) throw SystemError("ioctl", path);
  return time;
}

int64_t Nanoseconds(const struct timespec& time) { return static_cast<int64_t>(time.tv_sec) * kSecond + time.tv_nsec; }

// Its time, CLOCK_BOOTTIME in the middle of the reading, and half of how long that took.
using PtpReading = std::array<int64_t, 3>;

// Of a PTP clock, which a hypervisor keeps.
PtpReading ReadPtp(const Descriptor& clock, const std::string& path) {
  // FD_TO_CLOCKID of clock_gettime(2).
  const clockid_t id = static_cast<clockid_t>(~static_cast<unsigned>(clock.get()) << 3 | 3);
  struct timespec before, time, after;
  clock_gettime(CLOCK_BOOTTIME, &before);
  if (clock_gettime(id, &time) < 0) throw SystemError("clock_gettime", path);
  clock_gettime(CLOCK_BOOTTIME, &after);
  const int64_t took = Nanoseconds(after) - Nanoseconds(before);
  return {Nanoseconds(time), Nanoseconds(before) + took / 2, took / 2};
}

Napi::Array PtpValues(Napi::Env env, const PtpReading& values) {
  Napi::Array result = Napi::Array::New(env, values.size());
  for (uint32_t index = 0; index < values.size(); index++) result.Set(index, Napi::BigInt::New(env, values[index]));
  return result;
}

// (path) → [time, CLOCK_BOOTTIME of then, how exact]
Napi::Value ReadPtpClock(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0])] { return ReadPtp(OpenClock(path), path); };
  return OnIoThread(info.Env(), std::move(work), PtpValues);
}

// `new PtpClock(path)`: the same clock kept open, and read at once.
class PtpClock final : public Napi::ObjectWrap<PtpClock> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "PtpClock", {InstanceMethod<&PtpClock::Read>("read"), InstanceMethod<&PtpClock::Close>("close")});
  }

  explicit PtpClock(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PtpClock>(info) {
    try {
      path_ = SystemString(info[0]);
      clock_ = OpenClock(path_);
    } catch (const SystemError& error) {
      throw error.ToJavaScript(info.Env());
    }
  }

 private:
  Napi::Value Read(const Napi::CallbackInfo& info) {
    try {
      return PtpValues(info.Env(), ReadPtp(clock_, path_));
    } catch (const SystemError& error) {
      throw error.ToJavaScript(info.Env());
    }
  }

  void Close(const Napi::CallbackInfo&) { clock_.Reset(); }

  std::string path_;
  Descriptor clock_;
};

Napi::Array FieldsOf(Napi::Env env, const struct rtc_time& time) {
  const std::array<int, 6> fields = {time.tm_year + 1900, time.tm_mon, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec};
  Napi::Array result = Napi::Array::New(env, fields.size());
  for (uint32_t index = 0; index < fields.size(); index++) result.Set(index, Napi::Number::New(env, fields[index]));
  return result;
}

// (path) → the same as `readHardwareClock`, somewhere in its second.
Napi::Value GlanceAtHardwareClock(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0])] { return ReadTime(OpenClock(path), path); };
  return OnIoThread(info.Env(), std::move(work), FieldsOf);
}

// (path) → [year, month 0…11, day, hour, minute, second] at the moment when its second begins: it tells no fractions.
Napi::Value ReadHardwareClock(const Napi::CallbackInfo& info) {
  auto work = [path = SystemString(info[0])] {
    const Descriptor clock = OpenClock(path);
    const struct rtc_time first = ReadTime(clock, path);
    const struct timespec pause = {0, 2'000'000};
    struct rtc_time now = first;
    // A clock that stands still is read as it is.
    for (int polls = 0; polls < 700 && now.tm_sec == first.tm_sec; polls++) {
      nanosleep(&pause, nullptr);
      now = ReadTime(clock, path);
    }
    return now;
  };
  return OnIoThread(info.Env(), std::move(work), FieldsOf);
}

// (path, [year, month 0…11, day, hour, minute, second])
Napi::Value WriteHardwareClock(const Napi::CallbackInfo& info) {
  std::array<int, 6> fields;
  const auto given = info[1].As<Napi::Array>();
  for (uint32_t index = 0; index < fields.size(); index++) fields[index] = given.Get(index).As<Napi::Number>().Int32Value();
  return OnIoThread(info.Env(), [path = SystemString(info[0]), fields] {
    const Descriptor clock = OpenClock(path);
    struct rtc_time time = {};
    time.tm_year = fields[0] - 1900;
    time.tm_mon = fields[1];
    time.tm_mday = fields[2];
    time.tm_hour = fields[3];
    time.tm_min = fields[4];
    time.tm_sec = fields[5];
    if (Retry([&] { return ioctl(clock.get(), RTC_SET_TIME, &time); }) < 0) throw SystemError("ioctl", path);
  });
}

const Part part([](Napi::Env env, Napi::Object exports) {
  exports.Set("wallClock", Napi::Function::New(env, Read<CLOCK_REALTIME>));
  exports.Set("bootClock", Napi::Function::New(env, Read<CLOCK_BOOTTIME>));
  exports.Set("setWallClock", Napi::Function::New(env, Guarded<SetWallClock>));
  exports.Set("stepWallClock", Napi::Function::New(env, Guarded<StepWallClock>));
  exports.Set("readPtpClock", Napi::Function::New(env, Guarded<ReadPtpClock>));
  exports.Set("PtpClock", PtpClock::Define(env));
  exports.Set("glanceAtHardwareClock", Napi::Function::New(env, Guarded<GlanceAtHardwareClock>));
  exports.Set("readHardwareClock", Napi::Function::New(env, Guarded<ReadHardwareClock>));
  exports.Set("writeHardwareClock", Napi::Function::New(env, Guarded<WriteHardwareClock>));
});

}  // namespace

}  // namespace concierge
