// Longest-prefix match over number prefixes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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

/// The table behind PrefixTable, with 32-bit values.
///
/// Numbers that begin with digits go through a table indexed by their first `depth` digits; where
/// longer prefixes exist below such an entry, it points at a block of sorted ranges over the next
/// nine digits. Digits are coded as 1..10 and the end of a number as 0, so a number never matches a
/// prefix longer than itself. Prefixes with other characters, or longer than the nine digits, are
/// few; they live in a sorted list of their own.
class PrefixIndex {
 public:
  static constexpr std::size_t prefix_length_max = 32;
  class Builder;

  [[nodiscard]] std::optional<PrefixMatch<std::uint32_t>> find(
      std::string_view number) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::uint8_t no_match = 0xff;
  static constexpr std::uint32_t leaf_bit = 0x80000000u;
  static constexpr unsigned tail_digits = 9;  // 11^9 fits 32 bits

  struct Answer {
    std::uint32_t value = 0;
    std::uint8_t length = no_match;
    bool operator==(const Answer&) const = default;
  };
  struct Other {
    std::uint32_t offset;  // into other_text_
    std::uint32_t value;
    std::uint8_t length;
  };
  [[nodiscard]] Answer find_digits(std::string_view digits) const noexcept;
  [[nodiscard]] Answer find_other(std::string_view number) const noexcept;
  [[nodiscard]] std::string_view text_of(const Other& other) const noexcept {
    return std::string_view(other_text_).substr(other.offset, other.length);
  }

  unsigned depth_ = 0;
  std::size_t size_ = 0;
  // Numbers of k digits, k < depth_, start at (10^k - 1) / 9; those of depth_ digits and more
  // follow. An element is leaf_bit + index of an answer, or the offset of a block.
  std::vector<std::uint32_t> direct_{leaf_bit};
  std::vector<Answer> answers_{Answer{}};
  // A block: number n of ranges, their n - 1 lower bounds (the first is 0), n values, n lengths of
  // a byte each.
  std::vector<std::uint32_t> blocks_;
  std::string other_text_;
  std::vector<Other> others_;        // sorted by text
  std::uint64_t other_lengths_ = 0;  // bit n: a prefix of n characters is among them
};

/// Collects prefixes, then freezes them. Threading: one thread at a time.
class PrefixIndex::Builder {
 public:
  /// Errors: invalid_argument (more than 32 characters, or one that is none of `0-9 A-Z a-z + * #
  /// _`), already_exists, limit (100,000,000 prefixes). A failed add() leaves the builder as it
  /// was.
  Result<void> add(std::string_view prefix, std::uint32_t value);
  [[nodiscard]] std::size_t size() const noexcept { return digits_.size() + others_.size(); }
  [[nodiscard]] PrefixIndex build();  ///< Leaves the builder empty.

 private:
  struct Digits {
    std::uint64_t
        code;  // digits as 1..10 in base 11, padded with zeros to 15 digits: sorts like the text
    std::uint32_t value;
    std::uint8_t length;
  };
  [[nodiscard]] bool insert(std::uint64_t code);
  struct Range {
    std::uint32_t bound;
    Answer answer;
  };
  struct Open {
    std::uint64_t end;  // first tail behind the prefix
    Answer answer;
  };
  void append_block(PrefixIndex& index, const Digits* first, const Digits* last, Answer outside);
  [[nodiscard]] static std::string text_of(const Digits& prefix);

  std::vector<Digits> digits_;
  std::map<std::string, std::uint32_t, std::less<>> others_;
  std::vector<std::uint64_t> seen_;  // open addressing over codes plus one; 0 is free
  std::size_t seen_count_ = 0;
  // Scratch of build(), kept from block to block.
  std::vector<Digits> group_;
  std::vector<Range> ranges_;
  std::vector<Open> open_;
};

/// Longest-prefix table from number prefixes (0..32 characters of R-01) to small values. The empty
/// prefix matches every number.
///
/// Threading: immutable; any number of threads may call it at once.
/// Cost at a million prefixes: about 14 bytes a prefix, two dependent memory reads a look-up.
template <class Value = std::uint32_t>
class PrefixTable {
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) == sizeof(std::uint32_t));

 public:
  using Match = PrefixMatch<Value>;

  /// Collects prefixes, then freezes them. Threading: one thread at a time.
  class Builder {
   public:
    /// Errors: invalid_argument, already_exists, limit. A failed add() leaves the builder as it
    /// was.
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
    const auto found = index_.find(number);
    if (!found) return std::nullopt;
    return Match{std::bit_cast<Value>(found->value), found->prefix_length};
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
  PrefixIndex index_;
};

}  // namespace tandem
