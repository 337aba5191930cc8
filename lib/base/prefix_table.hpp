// Longest-prefix match over number prefixes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/digits.hpp"
#include "base/large_allocator.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// What a look-up found: the value of the longest prefix that the number starts with.
template <class Value>
struct PrefixMatch {
  Value value{};
  std::uint8_t prefix_length =
      0;  ///< Characters of the prefix, 0..32, never more than the number has.
  bool operator==(const PrefixMatch&) const = default;
};

/// The table behind PrefixTable, with 28-bit values.
///
/// Numbers that begin with digits go through a table indexed by their first `depth` digits. Where
/// no longer prefixes exist below such an entry, it is the answer; else it names a block of sorted
/// ranges over the next seven digits. Digits are coded as 1..10 and the end of a number as 0, so a
/// number never matches a prefix longer than itself. Prefixes with other characters, or longer than
/// those digits, are few; they live in a sorted list of their own.
///
/// What a look-up costs is memory that is not in a cache. So there is one word of the direct table,
/// then one cache line of a block (two where it has more than eight ranges, asked for together).
/// And it is what of the next look-ups the processor can begin meanwhile, which is a matter of
/// steps and of wrong guesses, each of which throws away all that was begun: digits are read
/// without a loop, up to sixteen ranges are compared all, not searched, and whether the direct
/// table had the answer is not guessed.
class PrefixIndex {
 public:
  static constexpr std::size_t prefix_length_max = 32;
  static constexpr std::uint32_t value_max = (1u << 28) - 1;
  class Builder;

  /// The longest match in one register, so that a caller in a loop over numbers waits for nothing:
  /// value + (length << 32), or `nothing`.
  [[nodiscard]] std::uint64_t find(std::string_view number) const noexcept {
    return words_.empty() ? nothing : find_in_tables(number);
  }
  static constexpr std::uint64_t nothing = ~std::uint64_t{0};
  /// find() of each number. A look-up alone waits for two reads of memory that is in no cache; here
  /// those of sixteen numbers are under way together. REQUIRES: `found` is as long as `numbers`.
  void find_each(std::span<const std::string_view> numbers,
                 std::span<std::uint64_t> found) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr unsigned tail_digits = 7;  // of four bits each, as values are

  // A value with the length of its prefix in the four bits above it. Tables hold prefixes of at
  // most 13 digits, so that 14 says: no match.
  using Answer = std::uint32_t;
  static constexpr unsigned value_bits = 28;
  static constexpr Answer no_match = 14u << value_bits;

  struct Other {
    std::uint32_t offset;  // into other_text_
    std::uint32_t value;
    std::uint8_t length;
  };
  /// Where the direct table speaks of a number, and the digits behind those it is indexed by.
  struct Start {
    const std::uint32_t* entry;
    std::int32_t tail;
  };
  [[nodiscard]] std::uint64_t find_in_tables(std::string_view number) const noexcept;
  [[nodiscard]] Start start_of(std::string_view number) const noexcept;
  [[nodiscard]] Start start_of_other(std::string_view number) const noexcept;
  [[nodiscard]] const std::uint32_t* block_of(std::uint32_t entry) const noexcept;
  [[nodiscard]] Answer answer_at(std::uint32_t entry, std::int32_t tail) const noexcept;
  static std::uint64_t match_of(Answer answer) noexcept;
  [[nodiscard]] std::uint64_t with_others(std::string_view number, Answer answer) const noexcept;
  [[nodiscard]] Answer find_in_large(const std::uint32_t* block, std::int32_t tail) const noexcept;
  [[nodiscard]] const Other* find_other(std::string_view number) const noexcept;
  [[nodiscard]] std::string_view text_of(const Other& other) const noexcept {
    return std::string_view(other_text_).substr(other.offset, other.length);
  }

  unsigned depth_ = 1;
  std::size_t size_ = 0;
  std::vector<std::uint32_t, LargeAllocator<std::uint32_t>>
      words_;  // direct table, then blocks; see prefix_table.cpp
  std::string other_text_;
  std::vector<Other> others_;        // sorted by text
  std::uint64_t other_lengths_ = 0;  // bit n: a prefix of n characters is among them
  std::bitset<256> other_starts_;    // their first characters; few numbers begin with one
};

/// Collects prefixes, then freezes them. Threading: one thread at a time.
class PrefixIndex::Builder {
 public:
  static constexpr std::size_t prefixes_max = 100'000'000;

  /// Errors: invalid_argument (more than 32 characters, or one that is none of `0-9 A-Z a-z + * #
  /// _`), already_exists, limit (prefixes_max, or a value above value_max). A failed add() leaves
  /// the builder as it was.
  Result<void> add(std::string_view prefix, std::uint32_t value);
  [[nodiscard]] std::size_t size() const noexcept { return digits_.size() + others_.size(); }
  [[nodiscard]] PrefixIndex build();  ///< Leaves the builder empty.

 private:
  struct Digits {
    std::uint64_t code;  // of code_of_digits(): sorts like the text
    std::uint32_t value;
    std::uint32_t length;
  };
  struct Range {
    std::uint32_t bound;  // first tail of the range
    Answer answer;
  };
  struct Open {
    std::uint64_t end;  // first tail behind the prefix
    Answer answer;
  };
  [[nodiscard]] bool is_new_code(std::uint64_t code);
  bool insert(std::uint64_t code);
  [[nodiscard]] static std::string text_of(const Digits& prefix);
  void collect_ranges(const Digits* first, const Digits* last, unsigned depth, Answer outside);
  [[nodiscard]] std::uint32_t append_block();
  [[nodiscard]] std::size_t place(std::size_t words);

  std::vector<Digits> digits_;
  std::map<std::string, std::uint32_t, std::less<>> others_;
  // Open addressing over codes plus one; 0 is free. Empty while prefixes come in order.
  std::vector<std::uint64_t> seen_;
  std::size_t seen_count_ = 0;
  // Scratch of build(), kept from block to block.
  std::vector<std::uint32_t> blocks_;
  std::array<std::vector<std::size_t>, 4> holes_;  // offsets of 1, 2 and 3 free units in a line
  std::vector<Range> ranges_;                      // of one block
  std::vector<Open> open_;
};

/// Longest-prefix table from number prefixes (0..32 characters of R-01) to values of 28 bits. The
/// empty prefix matches every number.
///
/// Threading: immutable; any number of threads may call it at once.
/// Cost at a million prefixes: 14 to 20 bytes a prefix, two dependent memory reads a look-up.
template <class Value = std::uint32_t>
class PrefixTable {
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) == sizeof(std::uint32_t));

 public:
  using Match = PrefixMatch<Value>;
  static constexpr std::uint32_t value_max = PrefixIndex::value_max;  ///< Largest value, as bits.

  /// Collects prefixes, then freezes them. Threading: one thread at a time.
  class Builder {
   public:
    /// Errors: invalid_argument, already_exists, limit (a value above value_max, too many
    /// prefixes). A failed add() leaves the builder as it was.
    Result<void> add(std::string_view prefix, Value value) {
      return index_.add(prefix, std::bit_cast<std::uint32_t>(value));
    }
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    [[nodiscard]] PrefixTable build() {  ///< Leaves the builder empty.
      PrefixTable table;
      table.index_ = index_.build();
      return table;
    }

   private:
    PrefixIndex::Builder index_;
  };

  /// The longest prefix that `number` starts with. Characters that no prefix may have match
  /// nothing.
  [[nodiscard]] std::optional<Match> find(std::string_view number) const noexcept {
    return match_of(index_.find(number));
  }

  /// find() of each number, for those who have many: a multiple as fast. `take(i, match)` gets the
  /// results in order, `match` an optional.
  template <class Take>
  void find_each(std::span<const std::string_view> numbers, Take&& take) const {
    std::array<std::uint64_t, 64> found;
    for (std::size_t first = 0; first < numbers.size(); first += found.size()) {
      const auto part = numbers.subspan(first, std::min(found.size(), numbers.size() - first));
      index_.find_each(part, std::span(found).first(part.size()));
      for (std::size_t i = 0; i < part.size(); ++i)
        take(first + i, match_of(found[i]));
    }
  }

  /// Calls `fn(Match)` for every prefix that `number` starts with, the longest first. When `fn`
  /// returns bool, false ends the walk.
  template <class Function>
  void for_each_match(std::string_view number, Function&& fn) const {
    while (const auto match = find(number)) {
      if constexpr (std::is_same_v<decltype(fn(*match)), bool>) {
        if (!fn(*match)) return;
      } else {
        fn(*match);
      }
      if (match->prefix_length == 0) return;
      number = number.substr(0, match->prefix_length - 1u);
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return index_.memory_bytes(); }

 private:
  static std::optional<Match> match_of(std::uint64_t found) noexcept {
    if (found == PrefixIndex::nothing) return std::nullopt;
    return Match{std::bit_cast<Value>(static_cast<std::uint32_t>(found)),
                 static_cast<std::uint8_t>(found >> 32)};
  }

  PrefixIndex index_;
};

}  // namespace tandem
