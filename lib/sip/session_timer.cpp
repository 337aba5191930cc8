#include "sip/session_timer.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace tandem::sip {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::uint32_t interval_max_s = 86'400 * 365;
constexpr std::int64_t bye_lead_max_s = 32;

/// Delta-seconds in front of parameters; 0 when there is no number.
std::uint32_t seconds(std::string_view value) noexcept {
  std::uint32_t number = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') break;
    number =
        std::min<std::uint32_t>(number * 10 + static_cast<std::uint32_t>(c - '0'), interval_max_s);
  }
  return number;
}

struct Decimal {
  char digits[12];
  std::string_view text;
  explicit Decimal(std::uint32_t number) noexcept
      : text(digits, static_cast<std::size_t>(
                         std::to_chars(digits, digits + sizeof(digits), number).ptr - digits)) {}
};

}  // namespace

TimerOffer read_timer_offer(const Message& message) noexcept {
  TimerOffer offer;
  for (std::size_t i = 0; i < message.header_count; ++i) {
    const Header& header = message.headers[i];
    switch (header.id) {
      case HeaderId::supported:
        offer.is_supported = offer.is_supported || list_has(header.value, "timer");
        break;
      case HeaderId::require:
        offer.is_required = offer.is_required || list_has(header.value, "timer");
        break;
      case HeaderId::allow:
        offer.has_update = offer.has_update || list_has(header.value, "UPDATE");
        break;
      case HeaderId::min_se:
        offer.least_s = seconds(header.value);
        break;
      case HeaderId::session_expires: {
        offer.interval_s = seconds(header.value);
        const std::size_t params = header.value.find(';');
        if (params == std::string_view::npos) break;
        const std::string_view who = find_param(header.value.substr(params), "refresher");
        if (equals_ignoring_case(who, "uac")) offer.refresher = TimerOffer::Refresher::uac;
        if (equals_ignoring_case(who, "uas")) offer.refresher = TimerOffer::Refresher::uas;
        break;
      }
      default:
        break;
    }
  }
  offer.is_supported = offer.is_supported || offer.is_required;
  return offer;
}

bool is_too_short(const TimerOffer& offer) noexcept {
  return offer.is_supported && offer.interval_s != 0 && offer.interval_s < session_interval_min_s;
}

TimerAgreement agree_as_server(const SessionWatch& watch, const TimerOffer& request) noexcept {
  TimerAgreement agreement;
  const auto wanted_s = static_cast<std::uint32_t>(watch.interval_s);
  // An interval that was asked for may be made shorter, but not below what the request allows.
  agreement.interval_s =
      request.interval_s == 0 ? wanted_s : std::min(request.interval_s, wanted_s);
  agreement.interval_s = std::max(
      {agreement.interval_s, session_interval_min_s,
       request.interval_s == 0 ? request.least_s : std::min(request.least_s, request.interval_s)});
  agreement.is_mutual = request.is_supported;
  agreement.is_refresher = !request.is_supported || request.refresher != TimerOffer::Refresher::uac;
  return agreement;
}

TimerAgreement agree_as_client(std::uint32_t asked_s, const TimerOffer& response) noexcept {
  TimerAgreement agreement;
  if (response.interval_s == 0) {
    agreement.interval_s = asked_s;
    agreement.is_refresher = true;
    return agreement;
  }
  agreement.interval_s = std::clamp(response.interval_s, session_interval_min_s, asked_s);
  agreement.is_refresher = response.refresher != TimerOffer::Refresher::uas;
  agreement.is_mutual = true;
  return agreement;
}

void write_timer_request(MessageWriter& writer, const SessionWatch& watch,
                         const TimerAgreement* agreement, std::uint32_t least_s) noexcept {
  writer.line("Supported: timer");
  if (agreement == nullptr && watch.mode == SessionWatch::Mode::require)
    writer.line("Require: timer");
  const std::uint32_t floor_s = std::max(least_s, session_interval_min_s);
  std::uint32_t interval_s = static_cast<std::uint32_t>(watch.interval_s);
  std::string_view who;
  if (agreement != nullptr) {
    interval_s = agreement->interval_s;
    who = agreement->is_refresher ? ";refresher=uac" : ";refresher=uas";
  }
  writer.header("Session-Expires", {Decimal(std::max(interval_s, floor_s)).text, who});
  writer.header("Min-SE", std::uint64_t{floor_s});
}

void write_timer_response(MessageWriter& writer, const TimerAgreement& agreement) noexcept {
  writer.line("Supported: timer");
  if (agreement.is_mutual) writer.line("Require: timer");
  writer.header("Session-Expires", {Decimal(agreement.interval_s).text,
                                    agreement.is_refresher ? ";refresher=uas" : ";refresher=uac"});
}

std::int64_t refresh_after_us(const SessionWatch& watch, const TimerAgreement& agreement) noexcept {
  return agreement.interval_s * second_us / std::max(watch.refreshes, 2);
}

std::int64_t give_up_after_us(const SessionWatch& watch, const TimerAgreement& agreement) noexcept {
  const auto interval_s = static_cast<std::int64_t>(agreement.interval_s);
  std::int64_t lead_s = std::min<std::int64_t>(watch.early_hangup_s, interval_s / 3);
  if (!agreement.is_refresher) lead_s = std::max(lead_s, std::min(bye_lead_max_s, interval_s / 3));
  return (interval_s - lead_s) * second_us;
}

}  // namespace tandem::sip
