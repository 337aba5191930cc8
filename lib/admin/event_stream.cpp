#include "admin/event_stream.hpp"

#include <utility>

#include "admin/request_bodies.hpp"

namespace tandem::admin {
namespace {

void append(std::string& text, std::string_view topic, std::string_view json) {
  text += "event: ";
  text += topic;
  text += "\ndata: ";
  text += json;  // one line: the JSON writer escapes line ends
  text += "\n\n";
}

}  // namespace

EventStream::EventStream(EventFeed feed, std::set<std::string> topics, const Clock& clock,
                         std::shared_ptr<void> place)
    : feed_(std::move(feed)), topics_(std::move(topics)), clock_(clock), place_(std::move(place)) {}

std::string EventStream::next(std::int64_t monotonic_us) {
  std::string text;
  if (said_at_us_ == 0) text = ": events from now on\n\n";
  for (const FeedItem& item : feed_.take(piece_events)) {
    if (item.lost != 0) append(text, "lost", events_lost_json(item.lost, clock_.wall_us()));
    if (item.event == nullptr) continue;
    const char* const topic = event_topic(item.event->kind);
    if (topics_.empty() || topics_.contains(topic)) append(text, topic, to_json(*item.event));
  }
  if (text.empty() && monotonic_us - said_at_us_ >= heartbeat_us) text = ": still here\n\n";
  if (!text.empty()) said_at_us_ = monotonic_us;
  return text;
}

}  // namespace tandem::admin
