#include "media/watch.hpp"

#include <algorithm>

namespace tandem::media {

namespace {
constexpr auto relaxed = std::memory_order_relaxed;
}

std::uint32_t Watch::event_clock_rate_hz(std::uint8_t payload_type) const noexcept {
  for (const auto& one : event_clocks) {
    const std::uint32_t clock = one.load(relaxed);
    if (clock != 0 && clock >> 24 == payload_type) return clock & 0xFF'FFFF;
  }
  return 0;
}

void Watch::begin() noexcept {
  unnegotiated.store(0, relaxed);
  for (auto* number : {&digits, &malformed, &denied, &undeliverable, &discarded, &failed,
                       &not_authentic, &jitter_late, &jitter_lost, &jitter_depth_ms})
    number->store(0, relaxed);
  detector.reset();
  refusal_told_us = 0;
  refusals_untold = 0;
  is_silent = is_lossy = false;
  window_from_us = 0;
  window_expected = window_lost = 0;
}

void Watch::forget() noexcept {
  tag.store(0, relaxed);
  for (auto* types : {&negotiated, &keys}) {
    for (auto& half : *types)
      half.store(0, relaxed);
  }
  for (auto* number : {&silence_ms, &loss_permille, &loss_window_ms})
    number->store(0, relaxed);
  for (auto& clock : event_clocks)
    clock.store(0, relaxed);
  watched_from_us.store(0, relaxed);
  is_scanned.store(false, relaxed);
}

bool is_allowed(const MediaSources& sources, const IpAddress& from) noexcept {
  const auto has_it = [&from](const IpNetwork& network) { return network.contains(from); };
  if (std::any_of(sources.deny.begin(), sources.deny.end(), has_it)) return false;
  if (sources.deny_set.contains(from) || (sources.allow_set && !sources.allow_set->contains(from)))
    return false;
  return sources.allow.empty() || std::any_of(sources.allow.begin(), sources.allow.end(), has_it);
}

}  // namespace tandem::media

namespace tandem {

const char* media_refusal_name(MediaRefusal refusal) noexcept {
  switch (refusal) {
    case MediaRefusal::none:
      return "";
    case MediaRefusal::latched:
      return "latched";
    case MediaRefusal::strict:
      return "strict";
    case MediaRefusal::denied:
      return "denied";
    case MediaRefusal::unchecked:
      return "unchecked";
  }
  return "";
}

const char* media_event_name(MediaEvent::Kind kind) noexcept {
  switch (kind) {
    case MediaEvent::Kind::first_packet:
      return "first_packet";
    case MediaEvent::Kind::source_changed:
      return "source_changed";
    case MediaEvent::Kind::source_refused:
      return "source_refused";
    case MediaEvent::Kind::silence_began:
      return "silence_began";
    case MediaEvent::Kind::silence_ended:
      return "silence_ended";
    case MediaEvent::Kind::loss_began:
      return "loss_began";
    case MediaEvent::Kind::loss_ended:
      return "loss_ended";
    case MediaEvent::Kind::digit:
      return "digit";
    case MediaEvent::Kind::handshake_ended:
      return "handshake_ended";
  }
  return "";
}

}  // namespace tandem
