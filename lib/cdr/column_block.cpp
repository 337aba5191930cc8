#include "cdr/column_block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/text.hpp"
#include "cdr/column_layout.hpp"

namespace tandem::cdr {
namespace {

constexpr std::uint8_t form_bits = 0x0F;
constexpr std::uint8_t nulls_flag = 0x80;
constexpr std::uint8_t usual_flag = 0x40;
constexpr std::size_t digits_max = 18;  // with a 1 in front of them they fit 64 bits
constexpr std::size_t patterns_max = 255;
constexpr std::size_t pattern_numbers_max = 4'096;
constexpr char number_mark = '\0';

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// REQUIRES: `bytes` of 1..8 are there.
std::uint64_t little(const char* from, std::size_t bytes) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    std::uint64_t value = 0;
    std::memcpy(&value, from, bytes);
    return value;
  }
  return layout::little(from, bytes);
}

template <std::size_t Width>
void copy_numbers(const char* from, std::size_t count, std::uint64_t base, std::int64_t* out) {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<std::int64_t>(base + little(from + i * Width, Width));
}

bool is_marked(std::string_view mask, std::size_t row) noexcept {
  return !mask.empty() && (static_cast<unsigned char>(mask[row / 8]) >> (row % 8) & 1U) != 0;
}

std::optional<std::int64_t> number_of_digits(std::string_view text) {
  if (text.size() > digits_max || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  std::int64_t number = 1;
  for (const char c : text)
    number = number * 10 + (c - '0');
  return number;
}

/// Splits a text into what stands between its numbers, and those. False: it has a byte that marks
/// numbers, or too many of them.
bool split(std::string_view text, std::string& pattern, std::vector<std::int64_t>& numbers) {
  pattern.clear();
  numbers.clear();
  for (std::size_t at = 0; at < text.size();) {
    if (!is_digit(text[at])) {
      if (text[at] == number_mark) return false;
      pattern += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end]))
      ++end;
    // A number gives its digits back as they were: without zeros in front.
    while (at + 1 < end && text[at] == '0')
      pattern += text[at++];
    if (end - at > digits_max) {
      pattern += text.substr(at, end - at);
    } else {
      std::int64_t number = 0;
      for (std::size_t i = at; i < end; ++i)
        number = number * 10 + (text[i] - '0');
      pattern += number_mark;
      numbers.push_back(number);
      if (numbers.size() > pattern_numbers_max) return false;
    }
    at = end;
  }
  return true;
}

}  // namespace

void append_packed(std::string& out, const std::vector<std::int64_t>& numbers) {
  std::int64_t least = 0;
  std::int64_t most = 0;
  if (!numbers.empty()) {
    const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
    least = *low;
    most = *high;
  }
  // Differences wrap, so that any two numbers have one.
  const auto base = static_cast<std::uint64_t>(least);
  const std::uint64_t widest = static_cast<std::uint64_t>(most) - base;
  const auto width = static_cast<std::size_t>((std::bit_width(widest) + 7) / 8);
  out += static_cast<char>(width);
  layout::append(out, base, 8);
  for (const std::int64_t number : numbers)
    layout::append(out, static_cast<std::uint64_t>(number) - base, width);
}

void ColumnValues::clear() {
  integers_.clear();
  bytes_.clear();
  ends_.clear();
  nulls_.clear();
}

std::optional<std::int64_t> DictionaryMaker::place(std::string_view text) const {
  const auto found = places_.find(text);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::int64_t> DictionaryMaker::add(std::string_view text) {
  const auto found = places_.find(text);
  if (found != places_.end()) return found->second;
  if (texts_.size() == texts_max || bytes_ + text.size() > bytes_max) return std::nullopt;
  const auto place = static_cast<std::int64_t>(texts_.size());
  texts_.push_back(&places_.emplace(text, place).first->first);
  bytes_ += text.size();
  return place;
}

std::string DictionaryMaker::bytes() const {
  std::string out;
  std::size_t end = 0;
  for (const std::string* text : texts_)
    layout::append(out, end += text->size(), 4);
  for (const std::string* text : texts_)
    out += *text;
  return out;
}

/// Writes the rows of a block that are neither null nor usual.
struct BlockWriter {
  using Form = ColumnBlock::Form;
  std::string& out;
  const ColumnValues& values;
  std::vector<std::size_t> rows{};  // that are stored

  void put_form(Form form, std::uint8_t flags) {
    out += static_cast<char>(static_cast<std::uint8_t>(form) | flags);
  }
  /// Writes masks; `is_usual` says which values need not be stored. The first byte is filled in
  /// later, by whoever knows the form. False: nothing is left to store.
  template <class IsUsual>
  bool put_marks(IsUsual is_usual) {
    std::string nulls((values.size() + 7) / 8, '\0');
    std::string usual = nulls;
    std::size_t null_count = 0;
    std::size_t usual_count = 0;
    const auto mark = [](std::string& mask, std::size_t row) {
      mask[row / 8] = static_cast<char>(static_cast<unsigned char>(mask[row / 8]) | 1U << row % 8);
    };
    for (std::size_t row = 0; row < values.size(); ++row) {
      if (values.is_null(row)) {
        mark(nulls, row);
        ++null_count;
      } else if (is_usual(row)) {
        mark(usual, row);
        ++usual_count;
      } else {
        rows.push_back(row);
      }
    }
    if (null_count == values.size()) {
      put_form(Form::nulls, 0);
      return false;
    }
    if (usual_count == values.size()) {
      put_form(Form::usual, 0);
      return false;
    }
    const auto flags = static_cast<std::uint8_t>((null_count > 0 ? nulls_flag : 0) |
                                                 (usual_count > 0 ? usual_flag : 0));
    form_at = out.size();
    put_form(Form::integers, flags);
    if (null_count > 0) out += nulls;
    if (usual_count > 0) out += usual;
    return true;
  }
  void set_form(Form form) {
    const auto flags = static_cast<std::uint8_t>(out[form_at]) & ~form_bits;
    out[form_at] = static_cast<char>(flags | static_cast<std::uint8_t>(form));
  }
  bool put_places(DictionaryMaker& dictionary);
  bool put_digits();
  bool put_patterns(DictionaryMaker& dictionary);
  void put_texts();

  std::size_t form_at = 0;
};

/// As places in the dictionary, if they are of those that come again.
bool BlockWriter::put_places(DictionaryMaker& dictionary) {
  std::unordered_set<std::string_view> fresh;
  for (const std::size_t row : rows) {
    const std::string_view text = values.text(row);
    if (!dictionary.place(text)) fresh.insert(text);
    if (fresh.size() > std::max<std::size_t>(1, rows.size() / 2)) return false;
  }
  std::vector<std::int64_t> places;
  for (const std::size_t row : rows) {
    const auto place = dictionary.add(values.text(row));
    if (!place) return false;
    places.push_back(*place);
  }
  set_form(Form::places);
  append_packed(out, places);
  return true;
}

bool BlockWriter::put_digits() {
  std::vector<std::int64_t> numbers;
  for (const std::size_t row : rows) {
    const auto number = number_of_digits(values.text(row));
    if (!number) return false;
    numbers.push_back(*number);
  }
  set_form(Form::digits);
  append_packed(out, numbers);
  return true;
}

/// If that is shorter than the texts.
bool BlockWriter::put_patterns(DictionaryMaker& dictionary) {
  struct Made {
    std::string text;
    std::vector<std::vector<std::int64_t>> numbers;  // by their order in the text
  };
  std::vector<Made> patterns;
  std::unordered_map<std::string, std::size_t> known;
  std::vector<std::int64_t> of_rows;
  std::string pattern;
  std::vector<std::int64_t> numbers;
  std::size_t text_bytes = 0;
  for (const std::size_t row : rows) {
    text_bytes += values.text(row).size();
    if (!split(values.text(row), pattern, numbers)) return false;
    const auto [found, is_new] = known.try_emplace(pattern, patterns.size());
    if (is_new) {
      if (patterns.size() == patterns_max) return false;
      patterns.push_back({pattern, std::vector<std::vector<std::int64_t>>(numbers.size())});
    }
    Made& made = patterns[found->second];
    for (std::size_t i = 0; i < numbers.size(); ++i)
      made.numbers[i].push_back(numbers[i]);
    of_rows.push_back(static_cast<std::int64_t>(found->second));
  }
  std::string packed;
  packed += static_cast<char>(patterns.size());
  append_packed(packed, of_rows);
  for (const Made& made : patterns) {
    const auto place = dictionary.add(made.text);
    if (!place) return false;
    layout::append(packed, static_cast<std::uint64_t>(*place), 4);
    for (const auto& column : made.numbers)
      append_packed(packed, column);
  }
  if (packed.size() >= text_bytes) return false;
  set_form(Form::patterns);
  out += packed;
  return true;
}

void BlockWriter::put_texts() {
  set_form(Form::texts);
  std::vector<std::int64_t> lengths;
  for (const std::size_t row : rows)
    lengths.push_back(static_cast<std::int64_t>(values.text(row).size()));
  append_packed(out, lengths);
  for (const std::size_t row : rows)
    out += values.text(row);
}

void append_integers(std::string& out, const ColumnValues& values) {
  // Zeros among larger numbers are marked: a bit instead of the bytes of a time.
  std::size_t zeros = 0;
  for (std::size_t row = 0; row < values.size(); ++row)
    zeros += !values.is_null(row) && values.integer(row) == 0 ? 1 : 0;
  const bool marks_zeros = zeros > values.size() / 8;
  BlockWriter writer{out, values};
  if (!writer.put_marks([&](std::size_t row) { return marks_zeros && values.integer(row) == 0; }))
    return;
  std::vector<std::int64_t> numbers;
  for (const std::size_t row : writer.rows)
    numbers.push_back(values.integer(row));
  append_packed(out, numbers);
}

void append_texts(std::string& out, const ColumnValues& values, DictionaryMaker& dictionary,
                  const ColumnValues* usual) {
  BlockWriter writer{out, values};
  const bool has_rest = writer.put_marks([&](std::size_t row) {
    return usual != nullptr && !usual->is_null(row) && usual->text(row) == values.text(row);
  });
  if (!has_rest || writer.put_places(dictionary) || writer.put_digits() ||
      writer.put_patterns(dictionary))
    return;
  writer.put_texts();
}

std::optional<Dictionary> Dictionary::of(std::string_view bytes, std::uint64_t texts) {
  if (texts > bytes.size() / 4) return std::nullopt;
  Dictionary dictionary;
  dictionary.texts_ = static_cast<std::size_t>(texts);
  dictionary.ends_ = bytes.substr(0, dictionary.texts_ * 4);
  dictionary.bytes_ = bytes.substr(dictionary.texts_ * 4);
  return dictionary;
}

std::optional<std::string_view> Dictionary::text(std::uint64_t place) const {
  if (place >= texts_) return std::nullopt;
  const char* const end_at = ends_.data() + 4 * place;
  const std::uint64_t begin = place == 0 ? 0 : little(end_at - 4, 4);
  const std::uint64_t end = little(end_at, 4);
  if (begin > end || end > bytes_.size()) return std::nullopt;
  return bytes_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

bool PackedNumbers::take(std::string_view& rest, std::size_t count) {
  constexpr std::size_t head_bytes = 9;
  if (rest.size() < head_bytes) return false;
  width_ = static_cast<unsigned char>(rest[0]);
  base_ = little(rest.data() + 1, 8);
  rest.remove_prefix(head_bytes);
  if (width_ > 8 || (width_ > 0 && count > rest.size() / width_)) return false;
  count_ = count;
  bytes_ = rest.substr(0, count * width_);
  rest.remove_prefix(bytes_.size());
  return true;
}

std::int64_t PackedNumbers::operator[](std::size_t at) const noexcept {
  if (width_ == 0) return static_cast<std::int64_t>(base_);
  return static_cast<std::int64_t>(base_ + little(bytes_.data() + at * width_, width_));
}

void PackedNumbers::copy_to(std::int64_t* out) const noexcept {
  const char* const from = bytes_.data();
  switch (width_) {
    case 0:
      std::fill_n(out, count_, static_cast<std::int64_t>(base_));
      return;
    case 1:
      return copy_numbers<1>(from, count_, base_, out);
    case 2:
      return copy_numbers<2>(from, count_, base_, out);
    case 3:
      return copy_numbers<3>(from, count_, base_, out);
    case 4:
      return copy_numbers<4>(from, count_, base_, out);
    case 5:
      return copy_numbers<5>(from, count_, base_, out);
    case 6:
      return copy_numbers<6>(from, count_, base_, out);
    case 7:
      return copy_numbers<7>(from, count_, base_, out);
    default:
      return copy_numbers<8>(from, count_, base_, out);
  }
}

std::optional<ColumnBlock> ColumnBlock::parse(std::string_view bytes, std::size_t rows,
                                              const Dictionary& dictionary) {
  if (bytes.empty() || rows > group_rows) return std::nullopt;
  const auto head = static_cast<std::uint8_t>(bytes[0]);
  std::string_view rest = bytes.substr(1);
  ColumnBlock block;
  block.rows_ = rows;
  block.dictionary_ = &dictionary;
  const unsigned form = head & form_bits;
  if (form > static_cast<unsigned>(Form::usual)) return std::nullopt;
  block.form_ = static_cast<Form>(form);
  if (block.form_ == Form::nulls || block.form_ == Form::usual) return block;
  const std::size_t mask_bytes = (rows + 7) / 8;
  const auto take_mask = [&](std::string_view& mask) {
    if (rest.size() < mask_bytes) return false;
    mask = rest.substr(0, mask_bytes);
    rest.remove_prefix(mask_bytes);
    return true;
  };
  if ((head & nulls_flag) != 0 && !take_mask(block.nulls_)) return std::nullopt;
  if ((head & usual_flag) != 0 && !take_mask(block.usual_)) return std::nullopt;
  block.stored_ = rows;
  if (!block.nulls_.empty() || !block.usual_.empty()) block.stored_ = block.rank(rows);
  if (block.form_ == Form::patterns) {
    if (!block.parse_patterns(rest)) return std::nullopt;
    return block;
  }
  if (!block.numbers_.take(rest, block.stored_)) return std::nullopt;
  if (block.form_ == Form::texts) block.texts_ = rest;
  return block;
}

bool ColumnBlock::parse_patterns(std::string_view rest) {
  if (rest.empty()) return false;
  patterns_.resize(static_cast<unsigned char>(rest[0]));
  rest.remove_prefix(1);
  if (!numbers_.take(rest, stored_)) return false;
  std::vector<std::size_t> counts(patterns_.size());
  for (std::size_t i = 0; i < stored_; ++i) {
    const std::int64_t pattern = numbers_[i];
    if (pattern < 0 || pattern >= static_cast<std::int64_t>(patterns_.size())) return false;
    ++counts[static_cast<std::size_t>(pattern)];
  }
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (rest.size() < 4) return false;
    const auto text = dictionary_->text(little(rest.data(), 4));
    rest.remove_prefix(4);
    if (!text) return false;
    patterns_[i].text = *text;
    const auto numbers =
        static_cast<std::size_t>(std::count(text->begin(), text->end(), number_mark));
    if (numbers > pattern_numbers_max) return false;
    patterns_[i].numbers.resize(numbers);
    for (PackedNumbers& each : patterns_[i].numbers) {
      if (!each.take(rest, counts[i])) return false;
    }
  }
  return true;
}

std::size_t ColumnBlock::rank(std::size_t row) const noexcept {
  if (nulls_.empty() && usual_.empty()) return row;
  std::size_t skipped = 0;
  const auto bits = [](std::string_view mask, std::size_t at, std::size_t bytes) {
    return mask.empty() ? std::uint64_t{0} : little(mask.data() + at, bytes);
  };
  std::size_t at = 0;
  for (; at + 8 <= row / 8; at += 8)
    skipped += static_cast<std::size_t>(std::popcount(bits(nulls_, at, 8) | bits(usual_, at, 8)));
  for (; at < row / 8; ++at)
    skipped += static_cast<std::size_t>(std::popcount(bits(nulls_, at, 1) | bits(usual_, at, 1)));
  if (row % 8 != 0) {
    const std::uint64_t below = (std::uint64_t{1} << row % 8) - 1;
    skipped += static_cast<std::size_t>(
        std::popcount((bits(nulls_, at, 1) | bits(usual_, at, 1)) & below));
  }
  return row - skipped;
}

ColumnBlock::Found ColumnBlock::mark(std::size_t row) const noexcept {
  if (form_ == Form::nulls || is_marked(nulls_, row)) return Found::null;
  if (form_ == Form::usual || is_marked(usual_, row)) return Found::usual;
  return Found::value;
}

ColumnBlock::Found ColumnBlock::integer(std::size_t row, std::int64_t& value) const {
  value = 0;
  const Found found = mark(row);
  if (found != Found::value) return found;
  if (form_ != Form::integers) return Found::malformed;
  value = numbers_[rank(row)];
  return Found::value;
}

ColumnBlock::Found ColumnBlock::text(std::size_t row, std::string& scratch,
                                     std::string_view& text) const {
  text = {};
  const Found found = mark(row);
  if (found != Found::value) return found;
  const std::size_t at = rank(row);
  if (form_ == Form::places) {
    const auto known = dictionary_->text(static_cast<std::uint64_t>(numbers_[at]));
    if (!known) return Found::malformed;
    text = *known;
    return Found::value;
  }
  if (form_ == Form::digits) {
    scratch.clear();
    append_integer(scratch, numbers_[at]);
    if (scratch[0] != '1') return Found::malformed;
    text = std::string_view(scratch).substr(1);
    return Found::value;
  }
  if (form_ == Form::texts) {
    std::uint64_t begin = 0;
    for (std::size_t i = 0; i < at; ++i) {
      begin += static_cast<std::uint64_t>(numbers_[i]);
      if (begin > texts_.size()) return Found::malformed;
    }
    const auto length = static_cast<std::uint64_t>(numbers_[at]);
    if (length > texts_.size() - begin) return Found::malformed;
    text = texts_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
    return Found::value;
  }
  if (form_ != Form::patterns) return Found::malformed;
  const std::int64_t wanted = numbers_[at];
  std::size_t of_pattern = 0;  // its place among the rows of its pattern
  for (std::size_t i = 0; i < at; ++i)
    of_pattern += numbers_[i] == wanted ? 1 : 0;
  const Pattern& pattern = patterns_[static_cast<std::size_t>(wanted)];
  scratch.clear();
  std::size_t number = 0;
  for (const char c : pattern.text) {
    if (c == number_mark) {
      append_integer(scratch, pattern.numbers[number++][of_pattern]);
    } else {
      scratch += c;
    }
  }
  text = scratch;
  return Found::value;
}

bool ColumnBlock::integers(std::int64_t* values) const {
  if (form_ == Form::nulls || form_ == Form::usual) {
    std::fill_n(values, rows_, 0);
    return true;
  }
  if (form_ != Form::integers) return false;
  numbers_.copy_to(values);
  spread(values, 0, 0);
  return true;
}

bool ColumnBlock::places(std::int64_t* values) const {
  if (form_ == Form::nulls || form_ == Form::usual) {
    std::fill_n(values, rows_, form_ == Form::nulls ? -1 : -2);
    return true;
  }
  if (form_ != Form::places) return false;
  numbers_.copy_to(values);
  const auto size = static_cast<std::int64_t>(dictionary_->size());
  for (std::size_t i = 0; i < stored_; ++i) {
    if (values[i] < 0 || values[i] >= size) return false;
  }
  spread(values, -1, -2);
  return true;
}

/// Moves the first `stored_` values to the rows that they are of, from the last one on.
void ColumnBlock::spread(std::int64_t* values, std::int64_t null, std::int64_t usual) const {
  if (stored_ == rows_) return;
  std::size_t at = stored_;
  for (std::size_t row = rows_; row-- > 0;) {
    const Found found = mark(row);
    values[row] = found == Found::null ? null : found == Found::usual ? usual : values[--at];
  }
}

}  // namespace tandem::cdr
