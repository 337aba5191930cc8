// GET /api/v1/events: the events of a switch as server-sent events (WHATWG HTML section 9.2).
#pragma once

#include <memory>
#include <set>
#include <string>

#include "http/message.hpp"
#include "tandem/clock.hpp"
#include "tandem/event_feed.hpp"

namespace tandem::admin {

/// Each event is "event: TOPIC" and one "data:" line of JSON with `id`, `type` and `at_us`. What
/// the reader was too slow for is told where it is missing: `event: lost` with `type` "events_lost"
/// and `count`. A comment comes when nothing else did for a while, so that both ends notice a dead
/// connection.
class EventStream final : public http::Stream {
 public:
  static constexpr std::size_t queue_events = 4096;
  static constexpr std::size_t piece_events = 64;  ///< Most of one next().
  static constexpr std::int64_t heartbeat_us = 15'000'000;

  /// `topics`: only these; empty: all. `clock` gives the time of losses. `place`: given back when
  /// the stream ends.
  EventStream(EventFeed feed, std::set<std::string> topics, const Clock& clock,
              std::shared_ptr<void> place);

  std::string next(std::int64_t monotonic_us) override;
  [[nodiscard]] bool is_over() const override { return feed_.is_over(); }

 private:
  EventFeed feed_;
  const std::set<std::string> topics_;
  const Clock& clock_;
  const std::shared_ptr<void> place_;
  std::int64_t said_at_us_ = 0;
};

}  // namespace tandem::admin
