// SPDX-License-Identifier: Apache-2.0
// Descriptors with names, held for whichever agent comes next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../descriptor.h"

namespace concierge::keeper {

// How a descriptor is waited for while no agent does. `kFile` is not: it stands for a file that goes with it. `kKeeper` is the
// socket of an earlier keeper, which is listened to all the time and no matter of an agent.
enum class Kind : uint8_t { kPlain, kPort, kStream, kListener, kWaste, kFile, kKeeper };
constexpr uint8_t kKinds = 7;

inline bool IsWaitedFor(Kind kind) { return kind != Kind::kPlain && kind != Kind::kFile && kind != Kind::kKeeper; }

// False for a word that is none.
bool ParseKind(const char* word, Kind& kind);
// False for a number that is none.
bool ParseKind(int number, Kind& kind);
const char* Name(Kind kind);

// Five for each program that runs, two for each that has ended, eight for one that is conversed with, the files of hosts, clients.
constexpr size_t kMostHeld = 8192;
constexpr size_t kLongestName = 47;
constexpr size_t kLongestNote = 191;
// A port's inbound buffer is a page at most (virtio_console of Linux), and a read takes from one of them.
constexpr size_t kMostInput = 4096;

// Whether it belongs to a program, by its name: such a thing goes on when the service is started anew.
bool IsOfProgram(const char* name);

// Of zeros where it is unused, so that a table of them takes no memory before it is used.
struct Held {
  char name[kLongestName + 1];
  char note[kLongestNote + 1];
  // 0, which is standard input, is never held.
  int descriptor;
  Kind kind;
  // What the keeper has read from a port and no agent has taken yet: one more than the index of its place, or 0.
  uint8_t input;

  bool used() const { return descriptor > 0; }
};

// What had to be read in order to know that there was something. Ports are few.
struct Input {
  size_t size;
  char bytes[kMostInput];
};

class Holdings {
 public:
  // One past the last that is used.
  size_t end() const { return end_; }
  Held& at(size_t index) { return held_[index]; }

  // `nullptr` where there is none.
  Held* Find(const char* name);
  // Takes the place of one of that name. Answers 0 or an errno; `note` and `name` are checked here.
  int Keep(const char* name, Kind kind, const char* note, Descriptor descriptor);
  void Drop(Held& held);

  // A place for input of `held`, or `nullptr`: all are taken.
  Input* PlaceFor(Held& held);
  Input& InputOf(const Held& held) { return inputs_[held.input - 1]; }
  void Took(Held& held);

 private:
  static constexpr uint8_t kMostInputs = 4;

  size_t end_;
  Held held_[kMostHeld];
  Input inputs_[kMostInputs];
};

}  // namespace concierge::keeper
