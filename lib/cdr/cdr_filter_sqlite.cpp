#include "cdr/cdr_filter_sqlite.hpp"

#include <array>
#include <utility>

namespace tandem::cdr {
namespace {

/// `column` is `number`, or begins with it when it ends with '*'.
RowCondition number_is(const std::string& column, const std::string& number) {
  RowCondition condition;
  if (!number.ends_with('*')) {
    condition.add(column + " = ?", number);
    return condition;
  }
  // A range instead of LIKE: it uses the index, and minds neither case nor wildcards. Its end is
  // the first text behind all that begin so.
  std::string text = number.substr(0, number.size() - 1);
  std::string end = text;
  while (!end.empty() && end.back() == '\xFF')
    end.pop_back();
  condition.add(column + " >= ?", std::move(text));
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    condition.add(column + " < ?", std::move(end));
  }
  return condition;
}

/// A number that is asked for.
struct NumberWish {
  std::string billing_column;  // "caller" or "callee"
  std::string suffix;          // of the view: "", "_in", "_out"; ignored with `is_any_view`
  const std::string* number;   // "" when it is not asked for
  bool is_any_view = false;

  [[nodiscard]] RowCondition condition() const {
    if (!is_any_view) return number_is(billing_column + suffix, *number);
    const std::array<RowCondition, 3> views = {number_is(billing_column, *number),
                                               number_is(billing_column + "_in", *number),
                                               number_is(billing_column + "_out", *number)};
    RowCondition condition;
    condition.add_any(views);
    return condition;
  }

  /// Conditions that an index answers: that of the billing view, and those of the rows whose other
  /// views differ from it.
  [[nodiscard]] std::vector<RowCondition> searches() const {
    std::vector<RowCondition> all;
    const auto differing = [this](const std::string& view) {
      RowCondition condition = number_is(billing_column + view, *number);
      condition.add(billing_column + view + " <> " + billing_column);
      return condition;
    };
    if (is_any_view) {
      all = {number_is(billing_column, *number), differing("_in"), differing("_out")};
    } else if (suffix.empty()) {
      all = {number_is(billing_column, *number)};
    } else {
      RowCondition same = number_is(billing_column, *number);
      same.add(billing_column + suffix + " = " + billing_column);
      all = {std::move(same), differing(suffix)};
    }
    return all;
  }
};

std::array<NumberWish, 8> wishes_of(const CdrFilter& filter) {
  return {{{"caller", "", &filter.caller, true},
           {"caller", "", &filter.caller_billing},
           {"caller", "_in", &filter.caller_in},
           {"caller", "_out", &filter.caller_out},
           {"callee", "", &filter.callee, true},
           {"callee", "", &filter.callee_billing},
           {"callee", "_in", &filter.callee_in},
           {"callee", "_out", &filter.callee_out}}};
}

RowCondition other_conditions(const CdrFilter& filter, const DayRows& day) {
  RowCondition all;
  const auto text = [&](const char* column, const std::string& value) {
    if (!value.empty()) all.add(day.column(column) + " = ?", value);
  };
  text("account", filter.account);
  text("vendor_account", filter.vendor_account);
  text("agent_account", filter.agent_account);
  text("customer_gateway", filter.customer_gateway);
  text("vendor_gateway", filter.vendor_gateway);
  text("call_id", filter.call_id);
  text("rate_prefix", filter.rate_prefix);
  text("end_reason", filter.reason);
  if (filter.sip_status) all.add("sip_status = ?", std::int64_t{*filter.sip_status});
  if (filter.release_side)
    all.add("release_side = ?", std::string(release_side_name(*filter.release_side)));
  if (filter.is_answered)
    all.add(*filter.is_answered ? "answered_at_us <> 0" : "answered_at_us = 0");
  if (filter.is_free) {
    const std::string gifts = day.column("package_charge_units");
    all.add(*filter.is_free ? "charge_units = 0 AND " + gifts + " = 0"
                            : "(charge_units <> 0 OR " + gifts + " <> 0)");
  }
  if (filter.talk_min_ms) all.add("talk_time_ms >= ?", *filter.talk_min_ms);
  if (filter.talk_max_ms) all.add("talk_time_ms <= ?", *filter.talk_max_ms);
  if (filter.since_us) all.add("ended_at_us >= ?", *filter.since_us);
  if (filter.until_us) all.add("ended_at_us < ?", *filter.until_us);
  return all;
}

}  // namespace

int RowCondition::bind(store::Statement& statement, int first) const {
  for (const auto& value : values_) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      statement.bind(first++, *number);
    } else {
      statement.bind(first++, std::string_view(std::get<std::string>(value)));
    }
  }
  return first;
}

void RowCondition::add_any(std::span<const RowCondition> conditions) {
  std::string text;
  for (const RowCondition& each : conditions) {
    text += (text.empty() ? "((" : " OR (") + each.text() + ')';
    values_.insert(values_.end(), each.values_.begin(), each.values_.end());
  }
  if (!text_.empty()) text_ += " AND ";
  text_ += text + ')';
}

RowCondition condition_of(const CdrFilter& filter, const DayRows& day) {
  RowCondition all;
  for (const NumberWish& wish : wishes_of(filter)) {
    if (!wish.number->empty()) all.add(wish.condition());
  }
  all.add(other_conditions(filter, day));
  return all;
}

std::vector<RowCondition> searches_of(const CdrFilter& filter, const DayRows& day) {
  const std::array<NumberWish, 8> wishes = wishes_of(filter);
  std::vector<RowCondition> searches;
  const NumberWish* by = nullptr;
  for (const NumberWish& wish : wishes) {
    if (wish.number->empty()) continue;
    by = &wish;
    searches = wish.searches();
    break;
  }
  if (by == nullptr) searches.emplace_back();
  for (RowCondition& search : searches) {
    for (const NumberWish& wish : wishes) {
      if (&wish != by && !wish.number->empty()) search.add(wish.condition());
    }
    search.add(other_conditions(filter, day));
  }
  return searches;
}

}  // namespace tandem::cdr
