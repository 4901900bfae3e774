// SPDX-License-Identifier: Apache-2.0
#include "holdings.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concierge::keeper {
namespace {

constexpr const char* kNames[kKinds] = {"plain", "port", "stream", "listener", "waste", "file", "keeper"};

bool IsName(const char* text) {
  const size_t length = strlen(text);
  if (length == 0 || length > kLongestName) return false;
  for (size_t index = 0; index < length; index++) {
    if (text[index] <= ' ' || text[index] >= 0x7f) return false;
  }
  return true;
}

bool IsNote(const char* text) {
  const size_t length = strlen(text);
  if (length > kLongestNote) return false;
  for (size_t index = 0; index < length; index++) {
    if (text[index] < ' ' || text[index] >= 0x7f) return false;
  }
  return true;
}

}  // namespace

bool ParseKind(const char* word, Kind& kind) {
  for (uint8_t index = 0; index < kKinds; index++) {
    if (strcmp(word, kNames[index]) != 0) continue;
    kind = static_cast<Kind>(index);
    return true;
  }
  return false;
}

bool ParseKind(int number, Kind& kind) {
  if (number < 0 || number >= kKinds) return false;
  kind = static_cast<Kind>(number);
  return true;
}

bool IsOfProgram(const char* name) { return strncmp(name, "program-", 8) == 0 || strncmp(name, "waste-", 6) == 0; }

const char* Name(Kind kind) { return kNames[static_cast<uint8_t>(kind)]; }

Held* Holdings::Find(const char* name) {
  for (size_t index = 0; index < end_; index++) {
    if (held_[index].used() && strcmp(held_[index].name, name) == 0) return &held_[index];
  }
  return nullptr;
}

int Holdings::Keep(const char* name, Kind kind, const char* note, Descriptor descriptor) {
  if (!IsName(name) || !IsNote(note)) return EINVAL;
  if (descriptor.get() <= 0) return EBADF;
  Held* place = Find(name);
  if (place != nullptr) {
    Drop(*place);
  } else {
    size_t index = 0;
    while (index < end_ && held_[index].used()) index++;
    if (index == kMostHeld) return ENOSPC;
    place = &held_[index];
  }
  strcpy(place->name, name);
  strcpy(place->note, note);
  place->kind = kind;
  place->input = 0;
  place->descriptor = descriptor.Release();
  const auto past = static_cast<size_t>(place - held_) + 1;
  if (past > end_) end_ = past;
  return 0;
}

void Holdings::Drop(Held& held) {
  Took(held);
  ::close(held.descriptor);
  held.descriptor = 0;
  while (end_ > 0 && !held_[end_ - 1].used()) end_--;
}

Input* Holdings::PlaceFor(Held& held) {
  if (held.input != 0) return nullptr;
  for (uint8_t index = 1; index <= kMostInputs; index++) {
    bool taken = false;
    for (size_t other = 0; other < end_ && !taken; other++) taken = held_[other].used() && held_[other].input == index;
    if (taken) continue;
    held.input = index;
    inputs_[index - 1].size = 0;
    return &inputs_[index - 1];
  }
  return nullptr;
}

void Holdings::Took(Held& held) { held.input = 0; }

}  // namespace concierge::keeper
