// SPDX-License-Identifier: Apache-2.0
#include "status_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

#ifndef CONCIERGE_VERSION
#define CONCIERGE_VERSION "unknown"
#endif

namespace concierge::keeper {

void StatusFile::Open() { file_.Reset(memfd_create(kStatusName, MFD_CLOEXEC)); }

void StatusFile::Write(const Doing& doing, Holdings& holdings, const Programs& programs) const {
  if (!file_) return;
  unsigned held[kKinds] = {};
  for (size_t index = 0; index < holdings.end(); index++) {
    if (holdings.at(index).used()) held[static_cast<uint8_t>(holdings.at(index).kind)]++;
  }
  unsigned running = 0, ended = 0;
  for (size_t index = 0; index < programs.end(); index++) {
    if (programs.at(index).used()) (programs.at(index).ended ? ended : running)++;
  }
  char text[512];
  int size = snprintf(text, sizeof text, "keeper %s\n%s %lld\nagent %d\nstarts %u\ndeaths %u %s\nprograms %u %u\n", CONCIERGE_VERSION, doing.what,
                      doing.since_ms, doing.agent, doing.starts, doing.deaths, doing.last_death, running, ended);
  for (uint8_t kind = 0; kind < kKinds; kind++) {
    size += snprintf(text + size, sizeof text - static_cast<size_t>(size), "held %s %u\n", Name(static_cast<Kind>(kind)), held[kind]);
  }
  // In one write, so that a reader finds the old text or the new one, up to `end`.
  size += snprintf(text + size, sizeof text - static_cast<size_t>(size), "end\n");
  [[maybe_unused]] const ssize_t written = pwrite(file_.get(), text, static_cast<size_t>(size), 0);
}

}  // namespace concierge::keeper
