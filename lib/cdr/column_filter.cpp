#include "cdr/column_filter.hpp"

#include <algorithm>
#include <array>

#include "cdr/day_columns.hpp"

namespace tandem::cdr {
namespace {

/// Columns of the views that a wish for a number looks at.
struct NumberWish {
  std::string CdrFilter::*number;
  NumberSide side;
  std::vector<std::size_t> views;
};

const std::array<NumberWish, 8>& number_wishes() {
  constexpr std::size_t caller = column_of("caller"), caller_in = column_of("caller_in"),
                        caller_out = column_of("caller_out");
  constexpr std::size_t callee = column_of("callee"), callee_in = column_of("callee_in"),
                        callee_out = column_of("callee_out");
  static const std::array<NumberWish, 8> wishes = {
      {{&CdrFilter::caller, NumberSide::caller, {caller, caller_in, caller_out}},
       {&CdrFilter::caller_billing, NumberSide::caller, {caller}},
       {&CdrFilter::caller_in, NumberSide::caller, {caller_in}},
       {&CdrFilter::caller_out, NumberSide::caller, {caller_out}},
       {&CdrFilter::callee, NumberSide::callee, {callee, callee_in, callee_out}},
       {&CdrFilter::callee_billing, NumberSide::callee, {callee}},
       {&CdrFilter::callee_in, NumberSide::callee, {callee_in}},
       {&CdrFilter::callee_out, NumberSide::callee, {callee_out}}}};
  return wishes;
}

}  // namespace

ColumnFilter::ColumnFilter(const CdrFilter& filter) {
  add_integers(filter);
  add_texts(filter);
  add_numbers(filter);
}

void ColumnFilter::add_numbers(const CdrFilter& filter) {
  for (const NumberWish& wish : number_wishes()) {
    std::string number = filter.*wish.number;
    if (number.empty()) continue;
    const bool is_prefix = number.ends_with('*');
    if (is_prefix) number.pop_back();
    conditions_.emplace_back([views = wish.views, number = std::move(number), is_prefix](
                                 ColumnGroup& group, std::size_t row, std::string& scratch) {
      return std::any_of(views.begin(), views.end(), [&](std::size_t view) {
        const auto text = group.text(view, row, scratch);
        return text && (is_prefix ? text->starts_with(number) : *text == number);
      });
    });
  }
}

void ColumnFilter::add_texts(const CdrFilter& filter) {
  const auto add = [this](std::size_t column, std::string wanted) {
    if (wanted.empty()) return;
    conditions_.emplace_back([column, wanted = std::move(wanted)](
                                 ColumnGroup& group, std::size_t row, std::string& scratch) {
      const auto text = group.text(column, row, scratch);
      return text && *text == wanted;
    });
  };
  add(column_of("account"), filter.account);
  add(column_of("vendor_account"), filter.vendor_account);
  add(column_of("agent_account"), filter.agent_account);
  add(column_of("customer_gateway"), filter.customer_gateway);
  add(column_of("vendor_gateway"), filter.vendor_gateway);
  add(column_of("call_id"), filter.call_id);
  add(column_of("rate_prefix"), filter.rate_prefix);
  add(column_of("end_reason"), filter.reason);
  if (filter.release_side)
    add(column_of("release_side"), std::string(release_side_name(*filter.release_side)));
}

void ColumnFilter::add_integers(const CdrFilter& filter) {
  const auto add = [this](std::size_t column, auto holds) {
    conditions_.emplace_back([column, holds](ColumnGroup& group, std::size_t row, std::string&) {
      return holds(group.integer(column, row));
    });
  };
  if (filter.since_us)
    add(column_of("ended_at_us"), [at = *filter.since_us](std::int64_t is) { return is >= at; });
  if (filter.until_us)
    add(column_of("ended_at_us"), [at = *filter.until_us](std::int64_t is) { return is < at; });
  if (filter.sip_status) {
    add(column_of("sip_status"),
        [wanted = std::int64_t{*filter.sip_status}](std::int64_t is) { return is == wanted; });
  }
  if (filter.is_answered) {
    add(column_of("answered_at_us"),
        [wanted = *filter.is_answered](std::int64_t is) { return (is != 0) == wanted; });
  }
  if (filter.is_free) {
    conditions_.emplace_back(
        [wanted = *filter.is_free](ColumnGroup& group, std::size_t row, std::string&) {
          const bool is_free = group.integer(column_of("charge_units"), row) == 0 &&
                               group.integer(column_of("package_charge_units"), row) == 0;
          return is_free == wanted;
        });
  }
  if (filter.talk_min_ms)
    add(column_of("talk_time_ms"),
        [at = *filter.talk_min_ms](std::int64_t is) { return is >= at; });
  if (filter.talk_max_ms)
    add(column_of("talk_time_ms"),
        [at = *filter.talk_max_ms](std::int64_t is) { return is <= at; });
}

bool ColumnFilter::wants(ColumnGroup& group, std::size_t row) const {
  return std::all_of(conditions_.begin(), conditions_.end(),
                     [&](const Condition& condition) { return condition(group, row, scratch_); }) &&
         !group.has_failed();
}

std::optional<std::pair<NumberSide, std::string_view>> indexed_number(const CdrFilter& filter) {
  for (const NumberWish& wish : number_wishes()) {
    const std::string& number = filter.*wish.number;
    if (number.empty() || number.ends_with('*')) continue;
    return std::pair(wish.side, std::string_view(number));
  }
  return std::nullopt;
}

}  // namespace tandem::cdr
