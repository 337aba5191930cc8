#include "switch/event_hub.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace tandem;

namespace {

Event numbered(std::uint64_t id) {
  Event event;
  event.call.id = id;
  return event;
}

}  // namespace

TEST_CASE("EventHub: every watcher gets every event, in order") {
  const auto hub = std::make_shared<EventHub>();
  hub->publish(numbered(1));  // nobody watches yet
  auto first = hub->open(10);
  auto second = hub->open(10);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(hub->has_feeds());
  for (std::uint64_t id = 2; id <= 4; ++id)
    hub->publish(numbered(id));
  for (EventFeed* feed : {&*first, &*second}) {
    const auto items = feed->take(100);
    REQUIRE(items.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(items[i].lost == 0);
      CHECK(items[i].event->call.id == i + 2);
    }
    CHECK(feed->take(100).empty());
  }
}

TEST_CASE("EventHub: what a full queue lost is told where it is missing, and counted") {
  const auto hub = std::make_shared<EventHub>();
  auto slow = hub->open(2);
  auto quick = hub->open(100);
  REQUIRE(slow);
  REQUIRE(quick);
  for (std::uint64_t id = 1; id <= 5; ++id)
    hub->publish(numbered(id));
  auto items = slow->take(1);
  REQUIRE(items.size() == 1);
  CHECK(items[0].event->call.id == 1);
  hub->publish(numbered(6));  // there is room again, behind the hole
  items = slow->take(10);
  REQUIRE(items.size() == 2);
  CHECK(items[0].event->call.id == 2);
  CHECK(items[0].lost == 0);
  CHECK(items[1].event->call.id == 6);
  CHECK(items[1].lost == 3);
  for (std::uint64_t id = 7; id <= 9; ++id)
    hub->publish(numbered(id));
  items = slow->take(10);
  REQUIRE(items.size() == 3);
  CHECK(items[2].event == nullptr);  // the loss is the newest news
  CHECK(items[2].lost == 1);
  CHECK(slow->take(10).empty());
  CHECK(slow->lost() == 4);
  CHECK(hub->lost() == 4);
  CHECK(quick->take(100).size() == 9);
  CHECK(quick->lost() == 0);
}

TEST_CASE("EventHub: a feed that is gone takes no place and no events") {
  const auto hub = std::make_shared<EventHub>();
  CHECK(hub->open(0).error().code == ErrorCode::invalid_argument);
  CHECK(hub->open(EventHub::queue_max + 1).error().code == ErrorCode::invalid_argument);
  {
    std::vector<EventFeed> feeds;
    for (std::size_t i = 0; i < EventHub::feeds_max; ++i) {
      auto feed = hub->open(1);
      REQUIRE(feed);
      feeds.push_back(std::move(*feed));
    }
    CHECK(hub->open(1).error().code == ErrorCode::limit);
    feeds.pop_back();
    CHECK(hub->open(1));
    CHECK(hub->feeds() == EventHub::feeds_max - 1);
  }
  CHECK_FALSE(hub->has_feeds());
}

TEST_CASE("EventHub: a feed outlives its hub and says that it is over") {
  auto hub = std::make_shared<EventHub>();
  auto feed = hub->open(4);
  REQUIRE(feed);
  hub->publish(numbered(1));
  hub->close();
  CHECK(hub->open(1).error().code == ErrorCode::wrong_state);
  hub.reset();
  CHECK_FALSE(feed->is_over());
  CHECK(feed->take(10, 1'000'000'000).size() == 1);
  CHECK(feed->is_over());
  CHECK(EventFeed().is_over());
  CHECK(EventFeed().take(1).empty());
}

TEST_CASE("EventHub: a watcher that waits is woken; publishers and watchers may be many") {
  const auto hub = std::make_shared<EventHub>();
  constexpr std::uint64_t events = 2000;
  auto feed = hub->open(events * 2);
  REQUIRE(feed);
  std::uint64_t seen = 0;
  std::thread reader([&] {
    while (!feed->is_over())
      seen += feed->take(100, 1'000'000).size();
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      for (std::uint64_t id = 0; id < events; ++id) {
        hub->publish(numbered(id));
        if (id % 100 == 0) (void)hub->open(1);  // opened and forgotten at once
      }
    });
  }
  for (std::thread& writer : writers)
    writer.join();
  hub->close();
  reader.join();
  CHECK(seen == 2 * events);
}
