// SPDX-License-Identifier: Apache-2.0
#include "succession.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace concierge::keeper {
namespace {

constexpr char kVariable[] = "CONCIERGE_KEEPER_STATE";
// Of a program.
constexpr int kHasEnded = 1;
constexpr int kElsewhere = 2;
// Above these: the number of the keeper that it is a child of, 0 where that is not known.
constexpr int kKeeperShift = 8;

int Flags(const Program& program) {
  const int keeper = program.elsewhere > 0 ? program.elsewhere << kKeeperShift : 0;
  return (program.ended ? kHasEnded : 0) | (program.elsewhere != 0 ? kElsewhere : 0) | keeper;
}

int ElsewhereOf(int flags) {
  if ((flags & kElsewhere) == 0) return 0;
  return (flags >> kKeeperShift) == 0 ? kSomeKeeper : flags >> kKeeperShift;
}

void SetStaying(int descriptor, bool stays) {
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, stays ? 0 : FD_CLOEXEC);
}

void SetAllStaying(const Reign& reign, Holdings& holdings, bool stay) {
  SetStaying(reign.agent, stay);
  for (size_t index = 0; index < holdings.end(); index++) {
    if (holdings.at(index).used()) SetStaying(holdings.at(index).descriptor, stay);
  }
}

bool WriteAll(int file, const char* bytes, size_t size) { return write(file, bytes, size) == static_cast<ssize_t>(size); }

// Cuts the next line off; `nullptr` where there is none.
char* NextLine(char** rest, char* end) {
  char* line = *rest;
  char* feed = static_cast<char*>(memchr(line, '\n', static_cast<size_t>(end - line)));
  if (feed == nullptr) return nullptr;
  *feed = '\0';
  *rest = feed + 1;
  return line;
}

bool Parse(char* text, char* end, Reign& reign, Holdings& holdings, Programs& programs) {
  char* line = NextLine(&text, end);
  if (line == nullptr || sscanf(line, "reign %*[23] %d %d %d %d %d %d %lld %u %u", &reign.agent, &reign.pid, &reign.greeted, &reign.ever_greeted, &reign.asleep, &reign.deaths, &reign.started_at, &reign.starts, &reign.all_deaths) != 9) {
    return false;
  }
  while ((line = NextLine(&text, end)) != nullptr) {
    if (strcmp(line, "end") == 0) return true;
    int number, kind_number, note_at = 0;
    Kind kind;
    size_t input;
    char name[kLongestName + 1];
    unsigned long long serial;
    int pid, flags, status;
    if (sscanf(line, "held %d %d %zu %47s%n", &number, &kind_number, &input, name, &note_at) == 4 && line[note_at] == ' ' && ParseKind(kind_number, kind)) {
      // One blank, and no more: a blank in a format is any number of them (scanf(3)).
      const char* note = line + note_at + 1;
      if (holdings.Keep(name, kind, note, Descriptor(number)) != 0 || input > kMostInput || input > static_cast<size_t>(end - text)) return false;
      if (input == 0) continue;
      Input* place = holdings.PlaceFor(*holdings.Find(name));
      if (place == nullptr) return false;
      memcpy(place->bytes, text, input);
      place->size = input;
      text += input;
    } else if (sscanf(line, "program %llu %d %d %d", &serial, &pid, &flags, &status) == 4) {
      if (programs.Add(serial, pid, ElsewhereOf(flags)) != 0) return false;
      if ((flags & kHasEnded) != 0) programs.End(serial, status);
    } else {
      return false;
    }
  }
  return false;
}

}  // namespace

const char* FormatOf(Holdings& holdings, const Programs& programs) {
  bool any = programs.HasElsewhere();
  for (size_t index = 0; index < holdings.end() && !any; index++) any = holdings.at(index).used() && holdings.at(index).kind == Kind::kKeeper;
  return any ? kNewestFormat : kOldestFormat;
}

Descriptor Bequeath(const Reign& reign, Holdings& holdings, const Programs& programs) {
  Descriptor file(memfd_create("keeper", 0));
  if (!file) return file;
  char line[kLongestName + kLongestNote + 96];
  int size = snprintf(line, sizeof line, "reign %s %d %d %d %d %d %d %lld %u %u\n", FormatOf(holdings, programs), reign.agent, reign.pid, reign.greeted, reign.ever_greeted, reign.asleep, reign.deaths, reign.started_at, reign.starts, reign.all_deaths);
  bool good = WriteAll(file.get(), line, static_cast<size_t>(size));
  for (size_t index = 0; index < holdings.end() && good; index++) {
    const Held& held = holdings.at(index);
    if (!held.used()) continue;
    const size_t input = held.input == 0 ? 0 : holdings.InputOf(held).size;
    size = snprintf(line, sizeof line, "held %d %d %zu %s %s\n", held.descriptor, static_cast<int>(held.kind), input, held.name, held.note);
    good = WriteAll(file.get(), line, static_cast<size_t>(size)) && (input == 0 || WriteAll(file.get(), holdings.InputOf(held).bytes, input));
  }
  for (size_t index = 0; index < programs.end() && good; index++) {
    const Program& program = programs.at(index);
    if (!program.used()) continue;
    size = snprintf(line, sizeof line, "program %llu %d %d %d\n", static_cast<unsigned long long>(program.serial), program.pid, Flags(program), program.status);
    good = WriteAll(file.get(), line, static_cast<size_t>(size));
  }
  if (!good || !WriteAll(file.get(), "end\n", 4)) return Descriptor();
  SetAllStaying(reign, holdings, true);
  char number[16];
  snprintf(number, sizeof number, "%d", file.get());
  setenv(kVariable, number, 1);
  return file;
}

void Retain(const Reign& reign, Holdings& holdings) {
  SetAllStaying(reign, holdings, false);
  unsetenv(kVariable);
}

bool Inherit(Reign& reign, Holdings& holdings, Programs& programs) {
  const char* given = getenv(kVariable);
  if (given == nullptr) return false;
  const Descriptor file(atoi(given));
  unsetenv(kVariable);
  struct stat status;
  if (fstat(file.get(), &status) < 0 || status.st_size == 0) return false;
  // Private: lines are cut in place, and nobody else is to see it.
  const auto size = static_cast<size_t>(status.st_size);
  void* text = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
  if (text == MAP_FAILED) return false;
  const bool good = Parse(static_cast<char*>(text), static_cast<char*>(text) + size, reign, holdings, programs);
  munmap(text, size);
  SetAllStaying(reign, holdings, false);
  return good;
}

}  // namespace concierge::keeper
