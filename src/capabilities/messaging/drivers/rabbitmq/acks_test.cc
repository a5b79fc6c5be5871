// Shows which acknowledgements are one for the server.
#include "capabilities/messaging/drivers/rabbitmq/acks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Multiple;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ack = Acks::Ack;

class RabbitAcks : public ::testing::Test {
 protected:
  RabbitAcks() {
    for (std::uint64_t tag = 1; tag <= 9; ++tag) acks_.came(tag);
  }
  void done(std::initializer_list<std::uint64_t> tags) {
    for (std::uint64_t tag : tags) acks_.done(tag);
  }
  Acks acks_;
};

TEST_F(RabbitAcks, ThoseAtTheFrontAreOneInWhateverOrderTheyWereDone) {
  done({3, 1, 2});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{3, Multiple::kYes}));
  EXPECT_FALSE(acks_.due());
  EXPECT_THAT(acks_.take(), IsEmpty());
}

TEST_F(RabbitAcks, WhatIsOpenIsNeverAmongThem) {
  done({1, 2, 4, 6});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{2, Multiple::kYes}, Ack{4}, Ack{6}));
  // 3 and 5 are open still.
  done({5, 7});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{5}, Ack{7}));
  done({3, 8});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{8, Multiple::kYes}));
}

TEST_F(RabbitAcks, OneIsOneAlone) {
  done({1});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{1}));
  done({9});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{9}));
}

TEST_F(RabbitAcks, AnotherChannelBeginsAnew) {
  done({1, 2});
  acks_.clear();
  EXPECT_THAT(acks_.take(), IsEmpty());
  acks_.came(1);
  done({1});
  EXPECT_THAT(acks_.take(), ElementsAre(Ack{1}));
}

}  // namespace
}  // namespace weft::messaging::rabbitmq
