// SPDX-License-Identifier: Apache-2.0
// A serial line as a plain pipe of bytes.

#include <sys/ioctl.h>
#include <termios.h>

#include "addon.h"

namespace concierge {

namespace {

// makeRaw(fd): no translation, no echo, no line editing, 38400 baud, and nothing that came before.
Napi::Value MakeRaw(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  termios settings{};
  if (tcgetattr(fd, &settings) < 0) throw SystemError("tcgetattr");
  settings.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | IGNPAR | PARMRK | INPCK | ISTRIP | INLCR | IGNCR | ICRNL |
                                             IXON | IXOFF | IXANY | IMAXBEL);
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  // A host has no modem lines to raise: without CLOCAL a line without carrier hangs up.
  settings.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB | CSTOPB | CRTSCTS);
  settings.c_cflag |= CS8 | CREAD | CLOCAL;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  if (cfsetspeed(&settings, B38400) < 0) throw SystemError("cfsetspeed");
  if (tcsetattr(fd, TCSANOW, &settings) < 0) throw SystemError("tcsetattr");
  // tcsetattr(3) is content when any of the changes could be made.
  termios applied{};
  if (tcgetattr(fd, &applied) < 0) throw SystemError("tcgetattr");
  if ((applied.c_lflag & (ICANON | ECHO | ISIG)) != 0 || (applied.c_oflag & OPOST) != 0 ||
      (applied.c_iflag & (ICRNL | INLCR | IGNCR | IXON | ISTRIP)) != 0) {
    throw SystemError(EINVAL, "tcsetattr");
  }
  if (tcflush(fd, TCIFLUSH) < 0) throw SystemError("tcflush");
  return info.Env().Undefined();
}

const Part part([](Napi::Env env, Napi::Object exports) { exports.Set("makeRaw", Napi::Function::New(env, Guarded<MakeRaw>)); });

}  // namespace

}  // namespace concierge
