// Shows that a partition's position is behind all that is done without a gap, and that the notes
// beside it keep what is done after it.
#include "capabilities/messaging/drivers/kafka/window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace weft::messaging::kafka {
namespace {

TEST(Window, StandsBeforeTheFirstThatIsNotDone) {
  Window window(10, "");
  EXPECT_EQ(window.position(), 10);
  for (int i = 10; i < 15; ++i) EXPECT_EQ(window.came(i), 0U);
  EXPECT_EQ(window.came(12), std::nullopt);
  window.done(11);
  window.done(12);
  EXPECT_EQ(window.position(), 10);
  EXPECT_EQ(window.notes(), "weft1;1-3;");
  window.done(10);
  EXPECT_EQ(window.position(), 13);
  EXPECT_EQ(window.notes(), "");
  window.done(14);
  window.done(13);
  EXPECT_EQ(window.position(), 15);
}

TEST(Window, GoesOnWhereItsNotesSay) {
  Window before(0, "");
  for (int i = 0; i < 6; ++i) before.came(i);
  before.failed(0, 2);
  before.done(1);
  before.done(2);
  before.failed(3, 1);
  before.done(5);
  Window after(before.position(), before.notes());
  EXPECT_EQ(after.came(0), 2U);
  EXPECT_EQ(after.came(1), std::nullopt);
  EXPECT_EQ(after.came(2), std::nullopt);
  EXPECT_EQ(after.came(3), 1U);
  EXPECT_EQ(after.came(4), 0U);
  after.done(0);
  EXPECT_EQ(after.position(), 3);
  // Of what has not come again the notes are kept.
  EXPECT_EQ(Window(after.position(), after.notes()).came(5), std::nullopt);
  EXPECT_EQ(after.came(5), std::nullopt);
  after.done(3);
  after.done(4);
  EXPECT_EQ(after.position(), 6);
}

TEST(Window, OffsetsThatNothingHasAreDone) {
  Window window(0, "");
  EXPECT_EQ(window.came(4), 0U);
  EXPECT_EQ(window.position(), 4);
  EXPECT_EQ(window.came(9), 0U);
  window.done(9);
  EXPECT_EQ(window.notes(), "weft1;1-6;");
  window.done(4);
  EXPECT_EQ(window.position(), 10);
}

TEST(Window, NotesOfOthersSayNothing) {
  for (const char* notes : {"", "x", "weft2;0-5;", "weft1", "weft1;", "weft1;5", "weft1;5-1;-1x2",
                            "weft1;-3-4,0-99999999999999999999;x,1x,0y1"}) {
    Window window(7, notes);
    EXPECT_EQ(window.came(7), 0U) << notes;
    EXPECT_EQ(window.came(8), 0U) << notes;
  }
  EXPECT_EQ(Window(0, std::string(kNotesBytesMax + 1, '1')).notes(), "");
}

TEST(Window, NotesThatDoNotFitAreLeftOut) {
  Window window(0, "");
  constexpr int kMany = 4'000;
  for (int i = 0; i < kMany; ++i) window.came(i);
  for (int i = 1; i < kMany; i += 2) window.done(i);
  std::string notes = window.notes();
  EXPECT_LE(notes.size(), kNotesBytesMax);
  Window after(window.position(), notes);
  EXPECT_EQ(after.came(0), 0U);
  EXPECT_EQ(after.came(1), std::nullopt);
}

TEST(Window, WhateverIsDoneInWhateverOrderNothingIsLost) {
  constexpr unsigned kSeed = 7;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 200; ++round) {
    Window window(0, "");
    std::set<int> open;
    std::set<int> done;
    int next = 0;
    for (int step = 0; step < 200; ++step) {
      if (random() % 3 > 0) {
        next += random() % 10 == 0 ? 3 : 1;
        if (window.came(next)) open.insert(next);
      } else if (!open.empty()) {
        auto one = std::next(open.begin(), static_cast<long>(random() % open.size()));
        window.done(*one);
        done.insert(*one);
        open.erase(one);
      }
      if (random() % 50 > 0) continue;
      // Somebody else goes on from what is written.
      Window other(window.position(), window.notes());
      for (int i = static_cast<int>(window.position()); i <= next; ++i) {
        bool comes = other.came(i).has_value();
        EXPECT_FALSE(comes && done.contains(i)) << kSeed << " " << round << " " << i;
        EXPECT_TRUE(comes || !open.contains(i)) << kSeed << " " << round << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace weft::messaging::kafka
