// The values of one column for a group of rows, as bytes.
//
// A block holds the rows that are not marked as null or as usual (0 of an integer, the text of
// another column of a text), in one of these forms, whichever the values allow: whole numbers above
// the least of them, in as few bytes each as the greatest takes; places in the dictionary of the
// column; digits as numbers; a pattern ("call-#@#") with its numbers; or texts one behind the
// other. Any row is found without reading those before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tandem::cdr {

/// Rows of a block at most.
inline constexpr std::size_t group_rows = 512;

/// Values of a column on their way into a block.
class ColumnValues {
 public:
  void add_null() { add(0, {}, true); }
  void add(std::int64_t value) { add(value, {}, false); }
  void add(std::string_view text) { add(0, text, false); }
  void clear();
  [[nodiscard]] std::size_t size() const noexcept { return nulls_.size(); }
  [[nodiscard]] bool is_null(std::size_t row) const { return nulls_[row]; }
  [[nodiscard]] std::int64_t integer(std::size_t row) const { return integers_[row]; }
  [[nodiscard]] std::string_view text(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return std::string_view(bytes_).substr(begin, ends_[row] - begin);
  }

 private:
  void add(std::int64_t value, std::string_view text, bool is_null) {
    integers_.push_back(value);
    bytes_ += text;
    ends_.push_back(bytes_.size());
    nulls_.push_back(is_null);
  }
  std::vector<std::int64_t> integers_;
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<bool> nulls_;
};

/// Texts of a column that come again and again, in the making. Bounded: what does not fit is
/// written where it stands.
class DictionaryMaker {
 public:
  static constexpr std::size_t texts_max = 65'536;
  static constexpr std::size_t bytes_max = 1U << 20;
  [[nodiscard]] std::optional<std::int64_t> place(std::string_view text) const;
  /// Nothing: it is full.
  std::optional<std::int64_t> add(std::string_view text);
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  /// As Dictionary reads it.
  [[nodiscard]] std::string bytes() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> places_;
  std::vector<const std::string*> texts_;  // keys of the map, by place
  std::size_t bytes_ = 0;
};

/// Appends what PackedNumbers reads.
void append_packed(std::string& out, const std::vector<std::int64_t>& numbers);

/// Appends a block. REQUIRES: at most group_rows values.
void append_integers(std::string& out, const ColumnValues& values);
/// `usual`: texts of the column that this one mostly repeats; null: there is none.
void append_texts(std::string& out, const ColumnValues& values, DictionaryMaker& dictionary,
                  const ColumnValues* usual);

/// A column's texts as they are in a file. Any bytes may be given: what is not there is nothing.
class Dictionary {
 public:
  Dictionary() = default;
  /// Nothing: `bytes` cannot hold so many.
  static std::optional<Dictionary> of(std::string_view bytes, std::uint64_t texts);
  [[nodiscard]] std::size_t size() const noexcept { return texts_; }
  [[nodiscard]] std::optional<std::string_view> text(std::uint64_t place) const;

 private:
  std::string_view ends_, bytes_;  // four bytes each; the texts
  std::size_t texts_ = 0;
};

/// Whole numbers in a fixed number of bytes each.
class PackedNumbers {
 public:
  /// Takes them off the front of `rest`. False: they are not all there.
  bool take(std::string_view& rest, std::size_t count);
  /// REQUIRES: below the count.
  [[nodiscard]] std::int64_t operator[](std::size_t at) const noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// The numbers from `base` on; `out` has room for all of them.
  void copy_to(std::int64_t* out) const noexcept;

 private:
  std::string_view bytes_;
  std::size_t width_ = 0, count_ = 0;
  std::uint64_t base_ = 0;
};

/// A block that is read. Any bytes may be given; what they say is checked before it is used, once
/// as a whole and once where a value stands. Threading: immutable; any number of threads.
class ColumnBlock {
 public:
  enum class Found : std::uint8_t { value, null, usual, malformed };

  ColumnBlock() = default;
  /// `dictionary` outlives it. Nothing: it is malformed.
  static std::optional<ColumnBlock> parse(std::string_view bytes, std::size_t rows,
                                          const Dictionary& dictionary);

  /// REQUIRES for all: `row` is one of the block. `usual` of an integer is 0.
  Found integer(std::size_t row, std::int64_t& value) const;
  /// Sets `text`, which lives as long as the bytes, or is made in `scratch`.
  Found text(std::size_t row, std::string& scratch, std::string_view& text) const;
  [[nodiscard]] bool is_null(std::size_t row) const noexcept { return mark(row) == Found::null; }
  /// All rows at once, null as 0. False: malformed.
  bool integers(std::int64_t* values) const;
  /// Whether all rows that have a value have it in the dictionary: then their places, -1 null, -2
  /// usual. False: they are elsewhere, or malformed.
  bool places(std::int64_t* values) const;

 private:
  enum class Form : std::uint8_t { integers, places, digits, texts, patterns, nulls, usual };
  friend struct BlockWriter;
  struct Pattern {
    std::string_view text;               // with a NUL where a number stands
    std::vector<PackedNumbers> numbers;  // of the rows of this pattern
  };

  bool parse_patterns(std::string_view rest);
  /// Rows before `row` that are stored.
  [[nodiscard]] std::size_t rank(std::size_t row) const noexcept;
  [[nodiscard]] Found mark(std::size_t row) const noexcept;
  void spread(std::int64_t* values, std::int64_t null, std::int64_t usual) const;

  Form form_ = Form::nulls;
  std::size_t rows_ = 0;
  std::string_view nulls_, usual_;  // a bit a row; empty: none is
  std::size_t stored_ = 0;
  PackedNumbers numbers_;  // by form: values, places, digits, lengths, patterns of rows
  std::string_view texts_;
  std::vector<Pattern> patterns_;
  const Dictionary* dictionary_ = nullptr;
};

}  // namespace tandem::cdr
