#include "base/prefix_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "tandem/values.hpp"

// Layout of PrefixIndex::words_
//
// Direct table: numbers of k digits, k < depth, start at word 0, 1, 11, 111, ...; those of depth
// digits and more follow. An entry is
//   0 | ranges - 2 (4 bits) | unit (27 bits)   a block of 2..16 ranges at a unit of 16 bytes
//   0 | 15         (4 bits) | unit (27 bits)   a block of more, the same
//   1 | length     (3 bits) | value (28 bits)  an answer; the length is at most 6, 7 says: no match
// Block of n ranges: the lower bounds of all but the first, which is 0; then n answers. A block of
//   64 bytes or less lies in one cache line, the others in two.
// Block of more: lines of up to 8 ranges each, with 7 bounds, unused ones `above_all`, and then the
//   answers; in front of them their number and the lower bounds of all of them but the first, with
//   enough of `above_all` behind to read sixteen words from any.

namespace tandem {
namespace {

constexpr unsigned depth_max = 6;
constexpr std::size_t line_words = 16;
constexpr std::size_t unit_words = 4;
constexpr unsigned unit_bits = 27;
constexpr std::uint32_t unit_mask = (1u << unit_bits) - 1;
constexpr std::uint32_t answer_bit = 0x80000000u;
constexpr std::uint32_t no_answer = 15u << 28;  // entry: an answer that says: no match
constexpr std::size_t block_ranges_max = 16;
constexpr std::uint32_t large_code = 15;
constexpr std::size_t node_ranges = 8;  // ranges in a line of a large block
constexpr std::size_t lines_ahead = 4;
constexpr std::size_t compared_words = 16;
constexpr std::size_t words_min = 48;  // what a look-up that has its answer reads for nothing

// Words of blocks are compared as signed numbers, which every processor can do with several at
// once. Bounds have 28 bits; this is above all of them.
constexpr std::uint32_t above_all = 0x7FFFFFFF;
// A large block says nodes_word - nodes, which is above every tail as well.
constexpr std::uint32_t nodes_word = above_all;
constexpr std::size_t large_header_words(std::size_t nodes) noexcept {
  const std::size_t words = nodes <= compared_words ? compared_words : nodes + compared_words - 1;
  return (words + line_words - 1) / line_words * line_words;
}
// Behind the largest tail: digits are coded up to 10.
constexpr std::uint64_t end_of_tails = 0xB000000;

constexpr std::uint32_t pow10(unsigned n) noexcept {
  std::uint32_t power = 1;
  while (n-- > 0)
    power *= 10;
  return power;
}

// Where the numbers of 0, 1, 2, ... digits start in the direct table.
constexpr std::array<std::uint32_t, depth_max + 2> direct_starts = [] {
  std::array<std::uint32_t, depth_max + 2> starts{};
  for (unsigned digits = 0; digits < starts.size(); ++digits)
    starts[digits] = (pow10(digits) - 1) / 9;
  return starts;
}();

using Four __attribute__((vector_size(16))) = std::int32_t;

Four four_at(const std::uint32_t* words) noexcept {
  Four four;
  std::memcpy(&four, words, sizeof four);
  return four;
}

// The smaller one, in a form that compilers do not make a branch of.
constexpr std::uint32_t least(std::uint32_t a, std::uint32_t b) noexcept {
  return b + ((a - b) & (0 - static_cast<std::uint32_t>(a < b)));
}

// How many of the first `count` of sixteen words, which are in order, are not above `tail`. All
// sixteen are compared, and whichever do not count are said to be above. From the end of those that
// count four words are read and no more: the next cache line would have to be waited for.
[[gnu::always_inline]] inline std::uint32_t count_up_to(const std::uint32_t* words,
                                                        std::uint32_t count,
                                                        std::int32_t tail) noexcept {
  const auto counted = static_cast<std::int32_t>(count) - 1;
  const Four tails = {tail, tail, tail, tail};
  const Four last = {counted, counted, counted, counted};
  const Four above =
      (((four_at(words) > tails) | (Four{0, 1, 2, 3} > last)) +
       ((four_at(words + least(4, count)) > tails) | (Four{4, 5, 6, 7} > last))) +
      (((four_at(words + least(8, count)) > tails) | (Four{8, 9, 10, 11} > last)) +
       ((four_at(words + least(12, count)) > tails) | (Four{12, 13, 14, 15} > last)));
  const Four halves = above + __builtin_shufflevector(above, above, 2, 3, 0, 1);
  const Four all = halves + __builtin_shufflevector(halves, halves, 1, 0, 3, 2);
  return static_cast<std::uint32_t>(16 + all[0]);
}

// The digits of a code as a number.
std::uint32_t head_of(std::uint64_t code, unsigned digits) noexcept {
  std::uint32_t head = 0;
  for (unsigned i = 0; i < digits; ++i)
    head = head * 10 + static_cast<std::uint32_t>(code >> (60 - 4 * i) & 0xF) - 1;
  return head;
}

}  // namespace

std::uint64_t PrefixIndex::find_in_tables(std::string_view number) const noexcept {
  const Start start = start_of(number);
  const Answer answer = answer_at(*start.entry, start.tail);
  return others_.empty() ? match_of(answer) : with_others(number, answer);
}

void PrefixIndex::find_each(std::span<const std::string_view> numbers,
                            std::span<std::uint64_t> found) const noexcept {
  if (words_.empty()) {
    std::fill(found.begin(), found.end(), nothing);
    return;
  }
  constexpr std::size_t at_once = 16;
  std::array<Start, at_once> starts;
  std::array<std::uint32_t, at_once> entries;
  for (std::size_t first = 0; first < numbers.size(); first += at_once) {
    const std::size_t count = std::min(at_once, numbers.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      starts[i] = start_of(numbers[first + i]);
      __builtin_prefetch(starts[i].entry);
    }
    for (std::size_t i = 0; i < count; ++i) {
      entries[i] = *starts[i].entry;
      if (entries[i] & answer_bit) continue;
      const std::uint32_t* const block = block_of(entries[i]);
      __builtin_prefetch(block);
      __builtin_prefetch(block + line_words);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Answer answer = answer_at(entries[i], starts[i].tail);
      found[first + i] =
          others_.empty() ? match_of(answer) : with_others(numbers[first + i], answer);
    }
  }
}

[[gnu::always_inline]] inline PrefixIndex::Start PrefixIndex::start_of(
    std::string_view number) const noexcept {
  PlainDigits digits;
  if (!digits.read(number, depth_)) [[unlikely]]
    return start_of_other(number);
  return {words_.data() + direct_starts[depth_] + digits.head,
          static_cast<std::int32_t>(digits.tail >> 4)};
}

// Apart: inlined, it would cost every look-up the registers that it needs.
[[gnu::noinline]] PrefixIndex::Start PrefixIndex::start_of_other(
    std::string_view number) const noexcept {
  const LeadingDigits digits(number, depth_);
  return {words_.data() + direct_starts[digits.head_count()] + digits.head(),
          static_cast<std::int32_t>(digits.tail() >> 4)};
}

/// The block of an entry. An answer has none: what stands at word 0 is read for nothing.
[[gnu::always_inline]] inline const std::uint32_t* PrefixIndex::block_of(
    std::uint32_t entry) const noexcept {
  const std::uint32_t is_block = (entry >> 31) - 1;
  return words_.data() + std::size_t{entry & unit_mask & is_block} * unit_words;
}

[[gnu::always_inline]] inline PrefixIndex::Answer PrefixIndex::answer_at(
    std::uint32_t entry, std::int32_t tail) const noexcept {
  const std::uint32_t* const block = block_of(entry);
  const std::uint32_t code = entry >> unit_bits;
  if (code == large_code) [[unlikely]]
    return find_in_large(block, tail);

  const std::uint32_t bounds = (code & 0xF) + 1;
  __builtin_prefetch(block + 2 * bounds);
  const Answer in_block = block[bounds + count_up_to(block, bounds, tail)];
  // Chosen by a mask, which no compiler makes a branch of. An entry says 7 where there is no match,
  // an answer 14.
  const std::uint32_t is_answer = 0 - (entry >> 31);
  const Answer in_entry = (entry & ~answer_bit) + (entry >= no_answer ? 7u << value_bits : 0);
  return in_block ^ ((in_block ^ in_entry) & is_answer);
}

inline std::uint64_t PrefixIndex::match_of(Answer answer) noexcept {
  return answer >= no_match ? nothing
                            : std::uint64_t{answer >> value_bits} << 32 | (answer & value_max);
}

/// The longest match, where prefixes that are not in the tables are looked at too.
[[gnu::noinline]] std::uint64_t PrefixIndex::with_others(std::string_view number,
                                                         Answer answer) const noexcept {
  if (!number.empty() && other_starts_[static_cast<unsigned char>(number[0])]) {
    const Other* const other = find_other(number);
    if (other && (answer >= no_match || other->length > answer >> value_bits))
      return std::uint64_t{other->length} << 32 | other->value;
  }
  return match_of(answer);
}

PrefixIndex::Answer PrefixIndex::find_in_large(const std::uint32_t* block,
                                               std::int32_t tail) const noexcept {
  // Which line it will be stands in the first; most blocks have few, and are asked for with it.
  for (std::size_t line = 1; line <= lines_ahead; ++line)
    __builtin_prefetch(block + line * line_words);
  const std::uint32_t nodes = nodes_word - block[0];
  const std::uint32_t* bounds = block;  // the first word is above every tail, as one not used
  std::uint32_t node = 0;
  if (nodes > compared_words) {
    // Halving without a branch on the data. Bounds behind those left are above the tail, too.
    for (std::uint32_t left = nodes - 1; left > compared_words;) {
      const std::uint32_t half = left / 2;
      node += static_cast<std::int32_t>(block[node + half]) <= tail ? half : 0;
      left -= half;
    }
    bounds = block + 1 + node;
  }
  node += count_up_to(bounds, compared_words, tail);
  const std::uint32_t* const line = block + large_header_words(nodes) + node * line_words;
  constexpr std::size_t line_bounds = node_ranges - 1;
  return line[line_bounds + count_up_to(line, line_bounds, tail)];
}

const PrefixIndex::Other* PrefixIndex::find_other(std::string_view number) const noexcept {
  const std::size_t longest = std::min(number.size(), prefix_length_max);
  std::uint64_t lengths = other_lengths_ & ((2ULL << longest) - 1);
  while (lengths != 0) {
    const auto length = static_cast<unsigned>(63 - std::countl_zero(lengths));
    const std::string_view key = number.substr(0, length);
    const auto found =
        std::lower_bound(others_.begin(), others_.end(), key,
                         [this](const Other& other, auto text) { return text_of(other) < text; });
    if (found != others_.end() && text_of(*found) == key) return &*found;
    lengths &= ~(1ULL << length);
  }
  return nullptr;
}

std::size_t PrefixIndex::memory_bytes() const noexcept {
  return sizeof *this + words_.size() * sizeof(std::uint32_t) + other_text_.capacity() +
         others_.capacity() * sizeof others_[0];
}

/// Whether a prefix is new. Those of a stored list come in order: then the last one is all that has
/// to be asked, and the set of all is begun by the first that does not.
bool PrefixIndex::Builder::is_new_code(std::uint64_t code) {
  if (seen_.empty()) {
    if (digits_.empty() || code > digits_.back().code) return true;
    for (const Digits& prefix : digits_)
      insert(prefix.code);
  }
  return insert(code);
}

bool PrefixIndex::Builder::insert(std::uint64_t code) {
  if ((seen_count_ + 1) * 2 > seen_.size()) {
    std::vector<std::uint64_t> larger(std::max<std::size_t>(64, seen_.size() * 2));
    for (std::uint64_t stored : seen_) {
      if (stored == 0) continue;
      std::size_t at = place_of_code(stored, larger.size());
      while (larger[at] != 0)
        at = (at + 1) & (larger.size() - 1);
      larger[at] = stored;
    }
    seen_.swap(larger);
  }
  const std::uint64_t stored = code + 1;
  std::size_t at = place_of_code(stored, seen_.size());
  for (; seen_[at] != 0; at = (at + 1) & (seen_.size() - 1)) {
    if (seen_[at] == stored) return false;
  }
  seen_[at] = stored;
  ++seen_count_;
  return true;
}

Result<void> PrefixIndex::Builder::add(std::string_view prefix, std::uint32_t value) {
  const auto code =
      prefix.size() <= depth_max + tail_digits ? code_of_digits(prefix) : std::nullopt;
  if (!code && !is_number(prefix)) {
    return Error{ErrorCode::invalid_argument,
                 "prefix \"" + std::string(prefix.substr(0, 40)) +
                     "\" was not 0..32 characters of 0-9 A-Z a-z + * # _"};
  }
  if (value > value_max)
    return Error{ErrorCode::limit, "value " + std::to_string(value) + " of prefix \"" +
                                       std::string(prefix) + "\" was above 268435455"};
  if (size() >= prefixes_max)
    return Error{ErrorCode::limit, "table had 100000000 prefixes already"};
  bool is_new = false;
  if (code) {
    is_new = is_new_code(*code);
    if (is_new) digits_.push_back({*code, value, static_cast<std::uint32_t>(prefix.size())});
  } else {
    is_new = others_.emplace(prefix, value).second;
  }
  if (!is_new)
    return Error{ErrorCode::already_exists,
                 "prefix \"" + std::string(prefix) + "\" was added before"};
  return {};
}

// The ranges of the prefixes below one entry of the direct table, by bound: for each range the
// longest prefix that holds it.
void PrefixIndex::Builder::collect_ranges(const Digits* first, const Digits* last, unsigned depth,
                                          Answer outside) {
  ranges_.clear();
  ranges_.push_back({0, outside});
  const auto emit = [this](std::uint64_t bound, Answer answer) {
    if (bound >= end_of_tails) return;
    if (ranges_.back().bound == bound) {
      ranges_.back().answer = answer;
    } else {
      ranges_.push_back({static_cast<std::uint32_t>(bound), answer});
    }
    // Neighbours with the same answer are one range.
    if (ranges_.size() > 1 && ranges_[ranges_.size() - 2].answer == answer) ranges_.pop_back();
  };
  open_.clear();
  const auto close_before = [this, &emit, outside](std::uint64_t tail) {
    while (!open_.empty() && open_.back().end <= tail) {
      const std::uint64_t end = open_.back().end;
      open_.pop_back();
      emit(end, open_.empty() ? outside : open_.back().answer);
    }
  };
  for (const Digits* prefix = first; prefix != last; ++prefix) {
    const std::uint64_t tail = prefix->code << (4 * depth) >> (64 - 4 * tail_digits);
    close_before(tail);
    const Answer answer = prefix->length << value_bits | prefix->value;
    emit(tail, answer);
    // Behind the digit 9, coded 10, comes the next digit of the place before: no number has a code
    // in between, and a range there would only take room.
    unsigned place = 4 * (depth + tail_digits - prefix->length);
    std::uint64_t end = tail + (1ULL << place);
    for (; place < 4 * (tail_digits - 1) && (end >> place & 0xF) == 11; place += 4)
      end += 5ULL << place;
    open_.push_back({end, answer});
  }
  close_before(end_of_tails);
}

// Room for a block in blocks_, in as few lines as it needs: what the last line of a block leaves is
// kept for a smaller one.
std::size_t PrefixIndex::Builder::place(std::size_t words) {
  const std::size_t units = (words + unit_words - 1) / unit_words;
  constexpr std::size_t line_units = line_words / unit_words;
  for (std::size_t hole = units; hole < line_units; ++hole) {
    if (holes_[hole].empty()) continue;
    const std::size_t offset = holes_[hole].back();
    holes_[hole].pop_back();
    if (hole > units) holes_[hole - units].push_back(offset + units * unit_words);
    return offset;
  }
  const std::size_t offset = blocks_.size();
  const std::size_t lines = (units + line_units - 1) / line_units;
  blocks_.resize(offset + lines * line_words, above_all);
  const std::size_t left = lines * line_units - units;
  if (left > 0) holes_[left].push_back(offset + units * unit_words);
  return offset;
}

// Puts ranges_ into blocks_. Returns the entry for it, with units counted from the first block.
std::uint32_t PrefixIndex::Builder::append_block() {
  const auto fill = [this](std::size_t offset, std::size_t answers, const Range* first,
                           std::size_t count) {
    std::uint32_t* const words = blocks_.data() + offset;
    for (std::size_t i = 1; i < count; ++i)
      words[i - 1] = first[i].bound;
    for (std::size_t i = 0; i < count; ++i)
      words[answers + i] = first[i].answer;
  };
  const std::size_t n = ranges_.size();
  if (n <= block_ranges_max) {
    // From the end of the bounds on four words are read, however few answers there are.
    const std::size_t offset = place(std::max(2 * n - 1, n + 3));
    fill(offset, n - 1, ranges_.data(), n);
    return static_cast<std::uint32_t>((n - 2) << unit_bits | offset / unit_words);
  }
  const std::size_t nodes = (n + node_ranges - 1) / node_ranges;
  const std::size_t header = large_header_words(nodes);
  const std::size_t offset = place(header + nodes * line_words);
  blocks_[offset] = nodes_word - static_cast<std::uint32_t>(nodes);
  for (std::size_t node = 0; node < nodes; ++node) {
    const std::size_t first = node * node_ranges;
    if (node > 0) blocks_[offset + node] = ranges_[first].bound;
    fill(offset + header + node * line_words, node_ranges - 1, ranges_.data() + first,
         std::min(node_ranges, n - first));
  }
  return static_cast<std::uint32_t>(large_code << unit_bits | offset / unit_words);
}

PrefixIndex PrefixIndex::Builder::build() {
  PrefixIndex index;
  index.size_ = size();
  const auto comes_before = [](const Digits& a, const Digits& b) { return a.code < b.code; };
  if (!std::is_sorted(digits_.begin(), digits_.end(), comes_before))
    std::sort(digits_.begin(), digits_.end(), comes_before);
  // The direct table takes at most about 9 bytes a prefix, so that small tables stay small.
  while (index.depth_ < depth_max && pow10(index.depth_ + 1) <= 2 * digits_.size())
    ++index.depth_;
  const unsigned depth = index.depth_;
  std::vector<std::uint32_t> direct(direct_starts[depth + 1], no_answer);
  for (const Digits& prefix : digits_) {
    if (prefix.length <= depth)
      direct[direct_starts[prefix.length] + head_of(prefix.code, prefix.length)] =
          answer_bit | prefix.length << value_bits | prefix.value;
  }
  for (unsigned length = 1; length <= depth; ++length) {
    for (std::uint32_t head = 0; head < pow10(length); ++head) {
      std::uint32_t& entry = direct[direct_starts[length] + head];
      if (entry == no_answer) entry = direct[direct_starts[length - 1] + head / 10];
    }
  }

  const auto blocks_start =
      std::max((direct.size() + line_words - 1) / line_words * line_words, words_min);
  std::vector<Digits> group;
  for (auto first = digits_.begin(); first != digits_.end();) {
    if (first->length <= depth) {
      ++first;
      continue;
    }
    group.clear();
    const std::uint64_t head = first->code >> (64 - 4 * depth);
    auto last = first;
    for (; last != digits_.end() && last->code >> (64 - 4 * depth) == head; ++last) {
      if (last->length > depth + tail_digits) {
        others_.emplace(text_of(*last), last->value);
      } else if (last->length > depth) {
        group.push_back(*last);
      }
    }
    if (!group.empty()) {
      std::uint32_t& entry = direct[direct_starts[depth] + head_of(first->code, depth)];
      collect_ranges(group.data(), group.data() + group.size(), depth,
                     entry >= no_answer ? no_match : entry & ~answer_bit);
      entry = append_block() + static_cast<std::uint32_t>(blocks_start / unit_words);
    }
    first = last;
  }
  blocks_.resize(blocks_.size() + compared_words);  // read with the last block
  index.words_.reserve(blocks_start + blocks_.size());
  index.words_.assign(direct.begin(), direct.end());
  index.words_.resize(blocks_start);
  index.words_.insert(index.words_.end(), blocks_.begin(), blocks_.end());

  for (const auto& [text, value] : others_) {
    index.others_.push_back({static_cast<std::uint32_t>(index.other_text_.size()), value,
                             static_cast<std::uint8_t>(text.size())});
    index.other_text_ += text;
    index.other_lengths_ |= 1ULL << text.size();
    index.other_starts_.set(static_cast<unsigned char>(text[0]));
  }
  index.others_.shrink_to_fit();
  index.other_text_.shrink_to_fit();
  *this = Builder();
  return index;
}

std::string PrefixIndex::Builder::text_of(const Digits& prefix) {
  std::string text(prefix.length, '0');
  for (unsigned i = 0; i < prefix.length; ++i)
    text[i] = static_cast<char>('0' + (prefix.code >> (60 - 4 * i) & 0xF) - 1);
  return text;
}

}  // namespace tandem
