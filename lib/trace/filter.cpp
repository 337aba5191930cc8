#include "trace/filter.hpp"

#include <algorithm>

#include "tandem/phones.hpp"

namespace tandem::trace {
namespace {

constexpr std::size_t id_chars_max = 256;

std::string_view without_plus(std::string_view number) noexcept {
  if (number.starts_with('+')) number.remove_prefix(1);
  return number;
}

bool begins(std::string_view number, std::string_view prefix) noexcept {
  return without_plus(number).starts_with(without_plus(prefix));
}

Fit number_fit(std::string_view prefix, std::string_view as_it_came, std::string_view routed,
               bool is_final) noexcept {
  if (prefix.empty() || begins(as_it_came, prefix)) return Fit::yes;
  if (!routed.empty() && begins(routed, prefix)) return Fit::yes;
  return is_final ? Fit::no : Fit::maybe;
}

Result<void> check_text(const char* key, std::string_view text, std::size_t chars_max) {
  if (text.size() > chars_max)
    return Error{ErrorCode::invalid_argument,
                 std::string("/") + key + ": longer than " + std::to_string(chars_max)};
  const auto is_plain = [](char c) { return c >= ' ' && c != 0x7f; };
  const bool is_good = std::all_of(text.begin(), text.end(), [&](char c) {
    return is_plain(c) || static_cast<unsigned char>(c) >= 0x80;
  });
  if (is_good) return {};
  return Error{ErrorCode::invalid_argument, std::string("/") + key + ": has a control character"};
}

}  // namespace

Result<Filter> Filter::create(const TraceFilter& wanted) {
  constexpr std::size_t number_chars_max = 64;
  if (auto checked = check_text("caller", wanted.caller, number_chars_max); !checked)
    return checked.error();
  if (auto checked = check_text("callee", wanted.callee, number_chars_max); !checked)
    return checked.error();
  if (auto checked = check_text("gateway", wanted.gateway, id_chars_max); !checked)
    return checked.error();
  if (auto checked = check_text("phone", wanted.phone, number_chars_max); !checked)
    return checked.error();
  Filter filter;
  filter.wanted_ = wanted;
  if (!wanted.phone.empty()) filter.phone_id_ = phone_id_prefix + wanted.phone;
  if (!wanted.source.empty()) {
    auto source = IpNetwork::parse(wanted.source);
    if (!source) return Error{ErrorCode::invalid_argument, "/source: " + source.error().message};
    filter.has_source_ = true;
    filter.source_ = *source;
  }
  return filter;
}

Fit Filter::fit(const CallFacts& facts) const {
  if (!may_come_from(facts.source.ip)) return Fit::no;
  const auto is_of = [&](std::string_view id) {
    return facts.customer == id ||
           std::find(facts.vendors.begin(), facts.vendors.end(), id) != facts.vendors.end();
  };
  Fit all = Fit::yes;
  const auto need = [&all](Fit one) { all = std::min(all, one); };
  const bool is_settled = facts.is_judged || facts.is_over;
  need(number_fit(wanted_.caller, facts.caller_in, facts.caller, is_settled));
  need(number_fit(wanted_.callee, facts.callee_in, facts.callee, is_settled));
  const Fit unknown = facts.is_over ? Fit::no : Fit::maybe;
  if (!wanted_.gateway.empty() && !is_of(wanted_.gateway)) need(unknown);
  if (!wanted_.phone.empty() && facts.called_phone != wanted_.phone && !is_of(phone_id_))
    need(unknown);
  return all;
}

}  // namespace tandem::trace
