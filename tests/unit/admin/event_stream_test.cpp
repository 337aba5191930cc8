#include "admin/event_stream.hpp"

#include <doctest/doctest.h>

#include "switch/event_hub.hpp"

using namespace tandem;
using namespace tandem::admin;

namespace {

constexpr std::int64_t second_us = 1'000'000;

struct Fixture {
  std::shared_ptr<EventHub> hub = std::make_shared<EventHub>();
  SystemClock clock;

  EventStream stream(std::set<std::string> topics = {}, std::size_t queue = 100) {
    auto feed = hub->open(queue);
    REQUIRE(feed);
    EventStream made(std::move(*feed), std::move(topics), clock, nullptr);
    CHECK(made.next(second_us).starts_with(":"));  // so that the client sees an open stream
    return made;
  }
  void publish(Event::Kind kind, std::uint64_t id = 0) {
    Event event;
    event.kind = kind;
    event.at_us = 5;
    event.call.id = id;
    event.text = "two\nlines";
    hub->publish(std::move(event));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "EventStream: an event is a topic and one line of JSON") {
  EventStream open = stream();
  publish(Event::Kind::alarm);
  CHECK(
      open.next(second_us) ==
      "event: alarm\ndata: {\"id\":0,\"type\":\"alarm\",\"at_us\":5,\"text\":\"two\\nlines\"}\n\n");
  publish(Event::Kind::call_started, 7);
  const std::string text = open.next(second_us);
  CHECK(text.starts_with("event: call\ndata: {\"id\":7,\"type\":\"call_started\",\"at_us\":5,"));
  CHECK(text.find('\n', 12) == text.size() - 2);
  CHECK(open.next(second_us).empty());
}

TEST_CASE_FIXTURE(Fixture, "EventStream: topics that were not asked for are left out") {
  EventStream open = stream({"call"});
  publish(Event::Kind::alarm);
  publish(Event::Kind::reloaded);
  CHECK(open.next(second_us).empty());
  publish(Event::Kind::call_ended, 1);
  CHECK(open.next(second_us).starts_with("event: call\n"));
}

TEST_CASE_FIXTURE(Fixture, "EventStream: losses are told in their place") {
  EventStream open = stream({}, 1);
  publish(Event::Kind::call_started, 1);
  publish(Event::Kind::call_started, 2);
  publish(Event::Kind::call_started, 3);
  const std::string text = open.next(second_us);
  const auto event = text.find("\"id\":1");
  const auto loss = text.find("event: lost\ndata: {\"id\":0,\"type\":\"events_lost\",\"at_us\":");
  REQUIRE(loss != std::string::npos);
  CHECK(event < loss);
  CHECK(text.find("\"count\":2}") > loss);
}

TEST_CASE_FIXTURE(Fixture, "EventStream: a comment comes when nothing else does") {
  EventStream open = stream();
  CHECK(open.next(second_us + EventStream::heartbeat_us - 1).empty());
  CHECK(open.next(second_us + EventStream::heartbeat_us).starts_with(":"));
  CHECK(open.next(second_us + EventStream::heartbeat_us + 1).empty());
  hub->close();
  CHECK(open.is_over());
}

TEST_CASE_FIXTURE(Fixture, "EventStream: a piece is bounded, the rest comes with the next") {
  EventStream open = stream();
  for (int i = 0; i < 100; ++i)
    publish(Event::Kind::call_started, 1);
  std::size_t events = 0;
  for (std::string text; !(text = open.next(second_us)).empty();) {
    std::size_t piece = 0;
    for (std::size_t at = 0; (at = text.find("event: ", at)) != std::string::npos; ++at)
      ++piece;
    CHECK(piece <= EventStream::piece_events);
    events += piece;
  }
  CHECK(events == 100);
}
