// Reads what reports want of the calls of a day from its columns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdr/call_facts.hpp"
#include "cdr/column_filter.hpp"
#include "cdr/day_columns.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// Goes through the calls of a day and gives what CallFactsReader gives, a group at a time.
/// Threading: one thread at a time.
class ColumnFactsReader {
 public:
  /// True: the time for the question is over.
  using Watch = std::function<bool()>;
  /// `day` and `watch` outlive it. Errors: corrupt, io, timeout.
  static Result<ColumnFactsReader> open(DayColumns& day, const CdrFilter& filter, Facts wanted,
                                        const Watch& watch);

  /// Reads the next call into `call`. False: there are no more. Asks the watch before each group.
  /// Errors: timeout; corrupt, io (whoever has taken calls of the day already has to begin anew).
  Result<bool> next(CallFacts& call);

 private:
  using Integers = std::array<std::int64_t, group_rows>;
  struct IntegerColumn {
    std::size_t column;
    std::int64_t CallFacts::*member;
    Integers values{};
  };
  struct TextColumn {
    std::size_t column;
    std::vector<std::string_view> dictionary{};
    Integers places{};
    bool has_places = false;  // else texts are read where they stand
    std::string made{};
  };
  struct TextMember {
    TextColumn texts;
    std::string_view CallFacts::*member;
  };

  ColumnFactsReader(DayColumns& day, const CdrFilter& filter, const Watch& watch)
      : day_(&day), filter_(filter), watch_(&watch) {}
  Result<void> prepare(Facts wanted);
  Result<void> narrow(const CdrFilter& filter);
  Result<void> narrow_by_number(NumberSide side, std::string_view number);
  Result<bool> next_group();
  bool read_group();
  bool read_places(TextColumn& texts);
  std::string_view text(TextColumn& texts, std::size_t row);
  Reason reason(std::size_t row);
  bool legs(std::size_t row, CallFacts& call);

  DayColumns* day_;
  ColumnFilter filter_;
  const Watch* watch_;
  std::vector<IntegerColumn> integers_;
  std::vector<TextMember> texts_;
  std::optional<TextColumn> reason_, release_side_, call_level_, legs_;
  std::vector<std::optional<Reason>> reasons_;                    // by place
  std::vector<std::optional<std::vector<LegFacts>>> known_legs_;  // by place
  std::vector<LegFacts> read_legs_;
  std::size_t next_group_ = 0, end_group_ = 0;
  std::optional<std::vector<bool>> wanted_groups_;  // nothing: all between those two
  std::optional<ColumnGroup> group_;
  std::size_t row_ = 0;
};

}  // namespace tandem::cdr
