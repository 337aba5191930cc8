#include "call/forward.hpp"

#include <algorithm>

#include "sip/content.hpp"
#include "sip/message.hpp"

namespace tandem {

const char* forward_reason_name(ForwardReason reason) noexcept {
  switch (reason) {
    case ForwardReason::unconditional:
      return "unconditional";
    case ForwardReason::period:
      return "period";
    case ForwardReason::busy:
      return "busy";
    case ForwardReason::no_answer:
      return "no_answer";
    case ForwardReason::offline:
      return "offline";
  }
  return "";
}

const char* forward_method_name(ForwardMethod method) noexcept {
  switch (method) {
    case ForwardMethod::sequential:
      return "sequential";
    case ForwardMethod::random:
      return "random";
    case ForwardMethod::simultaneous:
      return "simultaneous";
  }
  return "";
}

}  // namespace tandem

namespace tandem::call {
namespace {

/// As Diversion says it (RFC 5806 section 4), and as a cause of a redirecting URI (RFC 4458).
struct ReasonWords {
  std::string_view diversion;
  std::string_view cause;
};
ReasonWords words_of(ForwardReason reason) noexcept {
  switch (reason) {
    case ForwardReason::unconditional:
      return {"unconditional", "302"};
    case ForwardReason::period:
      return {"time-of-day", "302"};
    case ForwardReason::busy:
      return {"user-busy", "486"};
    case ForwardReason::no_answer:
      return {"no-answer", "408"};
    case ForwardReason::offline:
      return {"unavailable", "503"};
  }
  return {"unknown", "302"};
}

std::string uri_of(std::string_view number, std::string_view host) {
  std::string uri = "sip:";
  sip::append_user(number, uri);
  ((uri += '@') += host);
  return uri;
}

/// `index` of the last entry of a History-Info line; "" when it has none.
std::string last_index(std::string_view list) {
  std::string index;
  while (!list.empty()) {
    const std::string_view entry = sip::next_element(list);
    sip::NameAddress address;
    if (!sip::parse_name_address(entry, address)) continue;
    const std::string_view value = sip::find_param(address.params, "index");
    const bool is_index = !value.empty() && value.size() <= 64 &&
                          value.find_first_not_of("0123456789.") == std::string_view::npos;
    if (is_index) index = value;
  }
  return index;
}

}  // namespace

ForwardHunt begin_hunt(const PhoneForward& forward, ForwardReason reason,
                       const std::vector<ForwardTarget>& targets, Random& random) {
  ForwardHunt hunt{reason, targets, 0};
  hunt.is_together = forward.method == ForwardMethod::simultaneous && targets.size() > 1;
  if (hunt.is_together) return hunt;
  for (ForwardTarget& target : hunt.targets) {
    if (target.ring_s < 0) target.ring_s = forward.ring_s;
  }
  if (forward.method == ForwardMethod::random) {
    for (std::size_t left = hunt.targets.size(); left > 1; --left)
      std::swap(hunt.targets[left - 1], hunt.targets[random.below(left)]);
  }
  return hunt;
}

ForwardChoice forward_at_once(const PhoneForward& forward, const Calendar& calendar,
                              std::int64_t wall_us, bool is_online) noexcept {
  if (!forward.periods.empty()) {
    const LocalTime now = calendar.zone().local(wall_us);
    for (const ForwardPeriod& period : forward.periods) {
      const auto day = day_of_hours(period.from_s, period.to_s, now);
      if (day && calendar.has(period.days, *day) && !period.targets.empty())
        return {ForwardReason::period, &period.targets};
    }
  }
  if (!forward.unconditional.empty()) return {ForwardReason::unconditional, &forward.unconditional};
  if (!is_online && !forward.offline.empty()) return {ForwardReason::offline, &forward.offline};
  return {};
}

ForwardChoice forward_after(const PhoneForward& forward, Reason reason, int status) noexcept {
  const auto choice = [](ForwardReason why, const std::vector<ForwardTarget>& targets) {
    return ForwardChoice{why, targets.empty() ? nullptr : &targets};
  };
  switch (reason) {
    case Reason::CalleeBusy:
    case Reason::AllGatewayBusy:
      return choice(ForwardReason::busy, forward.busy);
    case Reason::NoAnswer:
      return choice(ForwardReason::no_answer, forward.no_answer);
    case Reason::InviteTimeout:
    case Reason::GatewayTimeout:
    case Reason::ConnectionTimeout:
    case Reason::CalleeNotOnline:
      return choice(ForwardReason::offline, forward.offline);
    default:
      break;
  }
  const bool is_out_of_reach = status == 408 || status == 404 || status == 410 || status == 503;
  return is_out_of_reach ? choice(ForwardReason::offline, forward.offline) : ForwardChoice{};
}

HeaderCopies forwarding_headers(const HeaderCopies& before, std::string_view phone,
                                std::string_view target, std::string_view host,
                                ForwardReason reason) {
  const ReasonWords words = words_of(reason);
  const std::string from = uri_of(phone, host);
  HeaderCopies lines;
  // The latest one goes first (RFC 5806 section 5.1).
  lines.emplace_back("Diversion",
                     "<" + from + ">;reason=" + std::string(words.diversion) + ";counter=1");
  lines.insert(lines.end(), before.begin(), before.end());
  std::string index;
  for (const auto& [name, value] : before) {
    if (!sip::equals_ignoring_case(name, "History-Info")) continue;
    if (std::string last = last_index(value); !last.empty()) index = std::move(last);
  }
  std::string history;
  if (index.empty()) {
    index = "1";
    history = "<" + from + ">;index=1, ";
  }
  history += "<" + uri_of(target, host) + ";cause=" + std::string(words.cause) +
             ">;index=" + index + ".1;mp=" + index;
  lines.emplace_back("History-Info", std::move(history));
  return lines;
}

}  // namespace tandem::call
