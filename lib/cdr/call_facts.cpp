#include "cdr/call_facts.hpp"

#include <limits>

#include "base/text.hpp"

namespace tandem::cdr {
namespace {

constexpr unsigned response_flag = 1;
constexpr unsigned alerted_flag = 2;
constexpr unsigned answered_flag = 4;

/// Takes what stands before `end` off the front of `text`. False: there is no `end`.
bool take_until(std::string_view& text, char end, std::string_view& taken) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return false;
  taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return true;
}

}  // namespace

std::vector<LegFacts> legs_of(const LegSource& source) {
  std::vector<LegFacts> legs;
  legs.reserve(source.attempts->size());
  LegFacts* alerted = nullptr;
  LegFacts* answered = nullptr;
  // `pdd_ms` is cut, so the moment lies somewhere in that millisecond.
  std::int64_t alerted_by_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t pdd_us = 0;
  if (__builtin_mul_overflow(source.pdd_ms, 1'000, &pdd_us) ||
      __builtin_add_overflow(pdd_us, 999, &pdd_us) ||
      __builtin_add_overflow(source.started_at_us, pdd_us, &alerted_by_us)) {
    alerted_by_us = std::numeric_limits<std::int64_t>::max();
  }
  for (const Attempt& attempt : *source.attempts) {
    LegFacts& leg = legs.emplace_back();
    leg.gateway = attempt.vendor_gateway;
    leg.reason = attempt.reason;
    leg.has_response = attempt.sip_status > 100;
    if (source.pdd_ms >= 0 && attempt.started_at_us <= alerted_by_us) alerted = &leg;
    if (source.answered_at_us != 0 && attempt.sip_status / 100 == 2) answered = &leg;
  }
  if (alerted != nullptr) alerted->has_alerted = alerted->has_response = true;
  if (answered != nullptr) answered->is_answered = answered->has_response = true;
  return legs;
}

void append_legs(std::string& out, const std::vector<LegFacts>& legs) {
  for (const LegFacts& leg : legs) {
    append_integer(out, leg.gateway.size());
    (out += ':').append(leg.gateway) += ' ';
    append_integer(out, (leg.has_response ? response_flag : 0) |
                            (leg.has_alerted ? alerted_flag : 0) |
                            (leg.is_answered ? answered_flag : 0));
    out += ' ';
    append_integer(out, static_cast<int>(leg.reason));
    out += ';';
  }
}

bool read_legs(std::string_view text, std::vector<LegFacts>& legs) {
  legs.clear();
  while (!text.empty()) {
    LegFacts leg;
    std::string_view part;
    if (!take_until(text, ':', part)) return false;
    const auto bytes = parse_integer<std::size_t>(part);
    if (!bytes || *bytes >= text.size() || text[*bytes] != ' ') return false;
    leg.gateway = text.substr(0, *bytes);
    text.remove_prefix(*bytes + 1);
    if (!take_until(text, ' ', part)) return false;
    const auto flags = parse_integer<unsigned>(part);
    if (!take_until(text, ';', part)) return false;
    const auto reason = parse_integer<std::int16_t>(part);
    if (!flags || !reason) return false;
    leg.reason = static_cast<Reason>(*reason);
    leg.has_response = (*flags & response_flag) != 0;
    leg.has_alerted = (*flags & alerted_flag) != 0;
    leg.is_answered = (*flags & answered_flag) != 0;
    legs.push_back(leg);
  }
  return true;
}

ReleaseSide release_side_of(std::string_view name) noexcept {
  for (const ReleaseSide side : {ReleaseSide::caller, ReleaseSide::callee}) {
    if (name == release_side_name(side)) return side;
  }
  return ReleaseSide::server;
}

}  // namespace tandem::cdr
