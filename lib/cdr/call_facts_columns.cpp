#include "cdr/call_facts_columns.hpp"

#include <utility>

namespace tandem::cdr {
namespace {

Error unreadable() { return {ErrorCode::corrupt, "columns of a day were not readable"}; }

Error time_is_over() { return {ErrorCode::timeout, "time for columns of a day was over"}; }

struct IntegerFact {
  Fact fact;
  std::size_t column;
  std::int64_t CallFacts::*member;
};
constexpr IntegerFact integer_facts[] = {
    {Fact::started_at, column_of("started_at_us"), &CallFacts::started_at_us},
    {Fact::answered_at, column_of("answered_at_us"), &CallFacts::answered_at_us},
    {Fact::pdd, column_of("pdd_ms"), &CallFacts::pdd_ms},
    {Fact::talk_time, column_of("talk_time_ms"), &CallFacts::talk_time_ms},
    {Fact::billed_time, column_of("billed_time_s"), &CallFacts::billed_time_s},
    {Fact::fee, column_of("charge_units"), &CallFacts::fee_units},
    {Fact::package_fee, column_of("package_charge_units"), &CallFacts::package_fee_units},
    {Fact::package_time, column_of("package_time_s"), &CallFacts::package_time_s},
    {Fact::vendor_fee, column_of("vendor_charge_units"), &CallFacts::vendor_fee_units}};

struct TextFact {
  Fact fact;
  std::size_t column;
  std::string_view CallFacts::*member;
};
constexpr TextFact text_facts[] = {
    {Fact::customer_gateway, column_of("customer_gateway"), &CallFacts::customer_gateway},
    {Fact::vendor_gateway, column_of("vendor_gateway"), &CallFacts::vendor_gateway},
    {Fact::account, column_of("account"), &CallFacts::account},
    {Fact::currency, column_of("currency"), &CallFacts::currency},
    {Fact::rate_deck, column_of("rate_deck"), &CallFacts::rate_deck},
    {Fact::rate_prefix, column_of("rate_prefix"), &CallFacts::rate_prefix},
    {Fact::callee_region, column_of("callee_region"), &CallFacts::callee_region},
    {Fact::vendor_currency, column_of("vendor_currency"), &CallFacts::vendor_currency}};

// Beside reason, release side, level and legs, which are made of texts.
static_assert(std::size(integer_facts) + std::size(text_facts) + 4 == fact_count);

}  // namespace

Result<ColumnFactsReader> ColumnFactsReader::open(DayColumns& day, const CdrFilter& filter,
                                                  Facts wanted, const Watch& watch) {
  ColumnFactsReader reader(day, filter, watch);
  if (auto done = reader.prepare(wanted); !done) return std::move(done).error();
  if (auto done = reader.narrow(filter); !done) return std::move(done).error();
  return reader;
}

Result<void> ColumnFactsReader::prepare(Facts wanted) {
  integers_.push_back({column_of("record_id"), &CallFacts::record_id});
  integers_.push_back({column_of("ended_at_us"), &CallFacts::ended_at_us});
  for (const IntegerFact& each : integer_facts) {
    if (wanted.has(each.fact)) integers_.push_back({each.column, each.member});
  }
  for (const TextFact& each : text_facts) {
    if (wanted.has(each.fact)) texts_.push_back({{each.column}, each.member});
  }
  if (wanted.has(Fact::reason)) reason_.emplace(TextColumn{column_of("end_reason")});
  if (wanted.has(Fact::release_side)) release_side_.emplace(TextColumn{column_of("release_side")});
  if (wanted.has(Fact::call_level)) call_level_.emplace(TextColumn{column_of("call_level")});
  if (wanted.has(Fact::legs)) legs_.emplace(TextColumn{column_of("legs")});
  bool is_good = true;
  const auto prepare_texts = [&](TextColumn& texts) {
    const Dictionary* const dictionary = day_->file().dictionary(texts.column);
    is_good = is_good && dictionary != nullptr;
    for (std::size_t place = 0; is_good && place < dictionary->size(); ++place) {
      const auto text = dictionary->text(place);
      is_good = text.has_value();
      if (text) texts.dictionary.push_back(*text);
    }
  };
  for (TextMember& each : texts_)
    prepare_texts(each.texts);
  for (std::optional<TextColumn>* each : {&reason_, &release_side_, &call_level_, &legs_}) {
    if (*each) prepare_texts(**each);
  }
  if (!is_good) return unreadable();
  if (reason_) reasons_.resize(reason_->dictionary.size());
  if (legs_) known_legs_.resize(legs_->dictionary.size());
  return {};
}

/// Leaves out groups in which the filter wants nothing: they stand in the order of the calls' ends,
/// and an index names the rows that may have a number.
Result<void> ColumnFactsReader::narrow(const CdrFilter& filter) {
  end_group_ = day_->file().groups();
  if (filter.until_us) {
    auto end = first_group_from(day_->file(), *filter.until_us);
    if (!end) return std::move(end).error();
    end_group_ = *end;
  }
  if (filter.since_us) {
    auto begin = first_group_from(day_->file(), *filter.since_us);
    if (!begin) return std::move(begin).error();
    next_group_ = *begin == 0 ? 0 : *begin - 1;  // which may end later than it begins
  }
  const auto wanted = indexed_number(filter);
  return wanted ? narrow_by_number(wanted->first, wanted->second) : Result<void>();
}

Result<void> ColumnFactsReader::narrow_by_number(NumberSide side, std::string_view number) {
  constexpr std::uint64_t looks_each = 4'096;
  std::vector<bool>& groups = wanted_groups_.emplace(day_->file().groups());
  RowFinder rows = day_->file().find(side, number);
  for (std::uint64_t count = 0;; ++count) {
    if (count % looks_each == 0 && (*watch_)()) return time_is_over();
    const auto row = rows.next();
    if (!row) return row.error();
    if (!*row || **row / group_rows < next_group_) return {};
    groups[**row / group_rows] = true;
  }
}

bool ColumnFactsReader::read_places(TextColumn& texts) {
  const ColumnBlock* const block = group_->block(texts.column);
  if (block == nullptr) return false;
  texts.has_places = block->places(texts.places.data());
  return true;
}

bool ColumnFactsReader::read_group() {
  for (IntegerColumn& each : integers_) {
    const ColumnBlock* const block = group_->block(each.column);
    if (block == nullptr || !block->integers(each.values.data())) return false;
  }
  for (TextMember& each : texts_) {
    if (!read_places(each.texts)) return false;
  }
  for (std::optional<TextColumn>* each : {&reason_, &release_side_, &call_level_, &legs_}) {
    if (*each && !read_places(**each)) return false;
  }
  return true;
}

Result<bool> ColumnFactsReader::next_group() {
  if (wanted_groups_) {
    while (next_group_ < end_group_ && !(*wanted_groups_)[next_group_])
      ++next_group_;
  }
  if (next_group_ >= end_group_) return false;
  if ((*watch_)()) return time_is_over();
  auto group = day_->file().group(next_group_++);
  if (!group) return std::move(group).error();
  group_ = std::move(*group);
  row_ = 0;
  if (!read_group()) return unreadable();
  return true;
}

std::string_view ColumnFactsReader::text(TextColumn& texts, std::size_t row) {
  if (texts.has_places) {
    const std::int64_t place = texts.places[row];
    return place < 0 ? std::string_view() : texts.dictionary[static_cast<std::size_t>(place)];
  }
  return group_->text(texts.column, row, texts.made).value_or(std::string_view());
}

Reason ColumnFactsReader::reason(std::size_t row) {
  const auto read = [&] { return reason_from_name(text(*reason_, row)).value_or(Reason::none); };
  const std::int64_t place = reason_->has_places ? reason_->places[row] : -1;
  if (place < 0) return read();
  std::optional<Reason>& known = reasons_[static_cast<std::size_t>(place)];
  if (!known) known = read();
  return *known;
}

/// False: the text is none of legs.
bool ColumnFactsReader::legs(std::size_t row, CallFacts& call) {
  const std::int64_t place = legs_->has_places ? legs_->places[row] : -1;
  if (place < 0) {
    // Null where the attempts were not readable when the columns were made.
    const ColumnBlock* const block = group_->block(legs_->column);
    if (block == nullptr || block->is_null(row)) return false;
    if (!read_legs(text(*legs_, row), read_legs_)) return false;
    call.legs = read_legs_;
    return true;
  }
  std::optional<std::vector<LegFacts>>& known = known_legs_[static_cast<std::size_t>(place)];
  if (!known) {
    if (!read_legs(text(*legs_, row), read_legs_)) return false;
    known = read_legs_;
  }
  call.legs = *known;
  return true;
}

Result<bool> ColumnFactsReader::next(CallFacts& call) {
  for (;;) {
    while (!group_ || row_ == group_->rows()) {
      auto more = next_group();
      if (!more || !*more) return more;
    }
    if (filter_.wants_all() || filter_.wants(*group_, row_)) break;
    if (group_->has_failed()) return unreadable();
    ++row_;
  }
  const std::size_t row = row_++;
  for (const IntegerColumn& each : integers_)
    call.*each.member = each.values[row];
  for (TextMember& each : texts_)
    call.*each.member = text(each.texts, row);
  if (reason_) call.reason = reason(row);
  if (release_side_) call.release_side = release_side_of(text(*release_side_, row));
  if (call_level_)
    call.call_level = call_level_from_name(text(*call_level_, row)).value_or(CallLevel::none);
  if (legs_ && !legs(row, call)) {
    return Error{ErrorCode::corrupt,
                 "attempts of record " + std::to_string(call.record_id) + " were not readable"};
  }
  if (group_->has_failed()) return unreadable();
  return true;
}

}  // namespace tandem::cdr
