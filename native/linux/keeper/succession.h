// SPDX-License-Identifier: Apache-2.0
// A keeper that takes the place of another in the same process, by execve(2): all descriptors and children stay.
#pragma once

#include "../descriptor.h"
#include "holdings.h"
#include "programs.h"

namespace concierge::keeper {

// Of the text in which one tells the other what there is: 3 knows of earlier keepers, and is said only where there are some, so
// that an older one can take over otherwise.
constexpr char kOldestFormat[] = "2";
constexpr char kNewestFormat[] = "3";
// What a keeper must understand that is to take over.
const char* FormatOf(Holdings& holdings, const Programs& programs);

// What a keeper knows beside its holdings and programs.
struct Reign {
  int agent;  // its socket; −1: there is none
  int pid;    // −1
  int greeted;
  int ever_greeted;
  int asleep;
  int deaths;
  long long started_at;
  unsigned starts;
  unsigned all_deaths;
};

// A memory file that tells all of it, and the descriptors in it made to stay. Not open where that failed.
Descriptor Bequeath(const Reign& reign, Holdings& holdings, const Programs& programs);
// Takes back that descriptors stay.
void Retain(const Reign& reign, Holdings& holdings);
// Where the environment says that there is something to be taken over: whether that worked. Takes the variable out.
bool Inherit(Reign& reign, Holdings& holdings, Programs& programs);

}  // namespace concierge::keeper
