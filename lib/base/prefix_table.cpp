#include "base/prefix_table.hpp"

#include <algorithm>
#include <cstring>

#include "tandem/values.hpp"

namespace tandem {
namespace {

constexpr unsigned depth_max = 6;
constexpr unsigned fast_digits_max = 15;  // depth_max + PrefixIndex::tail_digits

constexpr std::uint32_t pow10(unsigned n) noexcept {
  std::uint32_t power = 1;
  while (n-- > 0)
    power *= 10;
  return power;
}
constexpr std::uint64_t pow11(unsigned n) noexcept {
  std::uint64_t power = 1;
  while (n-- > 0)
    power *= 11;
  return power;
}

// Keeps every offset of a block in 31 bits.
constexpr std::size_t prefixes_max = 100'000'000;

// Where the numbers of `digits` digits start in the direct table: 0, 1, 11, 111, ...
constexpr std::uint32_t direct_start(unsigned digits) noexcept { return (pow10(digits) - 1) / 9; }

bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }

std::uint64_t mixed(std::uint64_t x) noexcept {
  x *= 0x9E3779B97F4A7C15;
  return x ^ x >> 29;
}

}  // namespace

std::optional<PrefixMatch<std::uint32_t>> PrefixIndex::find(
    std::string_view number) const noexcept {
  std::size_t run = 0;
  const std::size_t run_max = std::min<std::size_t>(number.size(), depth_ + tail_digits);
  while (run < run_max && is_digit(number[run]))
    ++run;
  Answer answer = find_digits(number.substr(0, run));
  if (!others_.empty()) {
    const Answer other = find_other(number);
    if (other.length != no_match && (answer.length == no_match || other.length > answer.length))
      answer = other;
  }
  if (answer.length == no_match) return std::nullopt;
  return PrefixMatch<std::uint32_t>{answer.value, answer.length};
}

PrefixIndex::Answer PrefixIndex::find_digits(std::string_view digits) const noexcept {
  const auto direct_digits = static_cast<unsigned>(std::min<std::size_t>(digits.size(), depth_));
  std::uint32_t head = 0;
  for (unsigned i = 0; i < direct_digits; ++i)
    head = head * 10 + static_cast<std::uint32_t>(digits[i] - '0');
  const std::uint32_t entry = direct_[direct_start(direct_digits) + head];
  if (entry & leaf_bit) return answers_[entry & ~leaf_bit];

  std::uint32_t tail = 0;
  for (std::size_t i = depth_; i < depth_ + tail_digits; ++i) {
    tail = tail * 11 + (i < digits.size() ? static_cast<std::uint32_t>(digits[i] - '0') + 1 : 0);
  }
  const std::uint32_t* const block = blocks_.data() + entry;
  const std::uint32_t n = block[0];
  const std::uint32_t* const bounds = block + 1;
  // Number of bounds at or below the tail, halving without a branch on the data.
  std::uint32_t at = 0;
  for (std::uint32_t left = n - 1; left > 0;) {
    const std::uint32_t half = (left + 1) / 2;
    at += bounds[at + half - 1] <= tail ? half : 0;
    left -= half;
  }
  const std::uint32_t* const values = bounds + (n - 1);
  const std::uint32_t length_word = values[n + at / 4];
  return {values[at], static_cast<std::uint8_t>(length_word >> at % 4 * 8)};
}

PrefixIndex::Answer PrefixIndex::find_other(std::string_view number) const noexcept {
  const std::size_t longest = std::min(number.size(), prefix_length_max);
  std::uint64_t lengths = other_lengths_ & ((2ULL << longest) - 1);
  while (lengths != 0) {
    const auto length = static_cast<unsigned>(63 - std::countl_zero(lengths));
    const std::string_view key = number.substr(0, length);
    const auto found =
        std::lower_bound(others_.begin(), others_.end(), key,
                         [this](const Other& other, auto text) { return text_of(other) < text; });
    if (found != others_.end() && text_of(*found) == key) return {found->value, found->length};
    lengths &= ~(1ULL << length);
  }
  return {};
}

std::size_t PrefixIndex::memory_bytes() const noexcept {
  return sizeof *this + direct_.capacity() * sizeof direct_[0] +
         answers_.capacity() * sizeof answers_[0] + blocks_.capacity() * sizeof blocks_[0] +
         other_text_.capacity() + others_.capacity() * sizeof others_[0];
}

bool PrefixIndex::Builder::insert(std::uint64_t code) {
  if ((seen_count_ + 1) * 2 > seen_.size()) {
    std::vector<std::uint64_t> larger(std::max<std::size_t>(64, seen_.size() * 2));
    for (std::uint64_t stored : seen_) {
      if (stored == 0) continue;
      std::size_t at = mixed(stored) & (larger.size() - 1);
      while (larger[at] != 0)
        at = (at + 1) & (larger.size() - 1);
      larger[at] = stored;
    }
    seen_.swap(larger);
  }
  const std::uint64_t stored = code + 1;
  std::size_t at = mixed(stored) & (seen_.size() - 1);
  for (; seen_[at] != 0; at = (at + 1) & (seen_.size() - 1)) {
    if (seen_[at] == stored) return false;
  }
  seen_[at] = stored;
  ++seen_count_;
  return true;
}

Result<void> PrefixIndex::Builder::add(std::string_view prefix, std::uint32_t value) {
  if (!prefix.empty() && !is_number(prefix)) {
    return Error{ErrorCode::invalid_argument,
                 "prefix \"" + std::string(prefix.substr(0, 40)) +
                     "\" was not 0..32 characters of 0-9 A-Z a-z + * # _"};
  }
  if (size() >= prefixes_max)
    return Error{ErrorCode::limit, "table had 100000000 prefixes already"};
  const bool is_fast =
      prefix.size() <= fast_digits_max && std::all_of(prefix.begin(), prefix.end(), is_digit);
  bool is_new = false;
  if (is_fast) {
    std::uint64_t code = 0;
    for (char c : prefix)
      code = code * 11 + static_cast<std::uint64_t>(c - '0') + 1;
    code *= pow11(fast_digits_max - static_cast<unsigned>(prefix.size()));
    is_new = insert(code);
    if (is_new) digits_.push_back({code, value, static_cast<std::uint8_t>(prefix.size())});
  } else {
    is_new = others_.emplace(prefix, value).second;
  }
  if (!is_new)
    return Error{ErrorCode::already_exists,
                 "prefix \"" + std::string(prefix) + "\" was added before"};
  return {};
}

void PrefixIndex::Builder::append_block(PrefixIndex& index, const Digits* first, const Digits* last,
                                        Answer outside) {
  const std::uint64_t end_of_tails = pow11(tail_digits);
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
  const std::uint64_t tail_unit = pow11(fast_digits_max - index.depth_ - tail_digits);
  for (const Digits* prefix = first; prefix != last; ++prefix) {
    const std::uint64_t tail = prefix->code / tail_unit % end_of_tails;
    close_before(tail);
    const Answer answer{prefix->value, prefix->length};
    emit(tail, answer);
    open_.push_back({tail + pow11(index.depth_ + tail_digits - prefix->length), answer});
  }
  close_before(end_of_tails);

  auto& words = index.blocks_;
  const std::size_t n = ranges_.size();
  words.push_back(static_cast<std::uint32_t>(n));
  for (std::size_t i = 1; i < n; ++i)
    words.push_back(ranges_[i].bound);
  for (const Range& range : ranges_)
    words.push_back(range.answer.value);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 4 == 0) words.push_back(0);
    words.back() |= static_cast<std::uint32_t>(ranges_[i].answer.length) << i % 4 * 8;
  }
}

PrefixIndex PrefixIndex::Builder::build() {
  PrefixIndex index;
  index.size_ = size();
  std::sort(digits_.begin(), digits_.end(),
            [](const Digits& a, const Digits& b) { return a.code < b.code; });
  // The direct table takes at most about 9 bytes a prefix, so that small tables stay small.
  while (index.depth_ < depth_max && pow10(index.depth_ + 1) <= 2 * digits_.size())
    ++index.depth_;
  const unsigned depth = index.depth_;
  index.direct_.assign(direct_start(depth + 1), leaf_bit);

  const auto head_of = [](const Digits& prefix, unsigned length) {
    std::uint64_t code = prefix.code / pow11(fast_digits_max - length);
    std::uint32_t head = 0;
    for (std::uint32_t place = 1; code > 0; code /= 11, place *= 10) {
      head += static_cast<std::uint32_t>(code % 11 - 1) * place;
    }
    return head;
  };
  for (const Digits& prefix : digits_) {
    if (prefix.length > depth) continue;
    index.direct_[direct_start(prefix.length) + head_of(prefix, prefix.length)] =
        leaf_bit | static_cast<std::uint32_t>(index.answers_.size());
    index.answers_.push_back({prefix.value, prefix.length});
  }
  for (unsigned length = 1; length <= depth; ++length) {
    for (std::uint32_t head = 0; head < pow10(length); ++head) {
      std::uint32_t& entry = index.direct_[direct_start(length) + head];
      if (entry == leaf_bit) entry = index.direct_[direct_start(length - 1) + head / 10];
    }
  }
  for (auto first = digits_.begin(); first != digits_.end();) {
    if (first->length <= depth) {
      ++first;
      continue;
    }
    if (first->length > depth + tail_digits) {
      others_.emplace(text_of(*first), first->value);
      ++first;
      continue;
    }
    const std::uint64_t group_unit = pow11(fast_digits_max - depth);
    group_.clear();
    auto last = first;
    for (; last != digits_.end() && last->code / group_unit == first->code / group_unit; ++last) {
      if (last->length > depth + tail_digits) {
        others_.emplace(text_of(*last), last->value);
      } else {
        group_.push_back(*last);
      }
    }
    std::uint32_t& entry = index.direct_[direct_start(depth) + head_of(*first, depth)];
    const Answer outside = index.answers_[entry & ~leaf_bit];
    entry = static_cast<std::uint32_t>(index.blocks_.size());
    append_block(index, group_.data(), group_.data() + group_.size(), outside);
    first = last;
  }
  for (const auto& [text, value] : others_) {
    index.others_.push_back({static_cast<std::uint32_t>(index.other_text_.size()), value,
                             static_cast<std::uint8_t>(text.size())});
    index.other_text_ += text;
    index.other_lengths_ |= 1ULL << text.size();
  }
  index.answers_.shrink_to_fit();
  index.blocks_.shrink_to_fit();
  index.others_.shrink_to_fit();
  index.other_text_.shrink_to_fit();
  *this = Builder();
  return index;
}

std::string PrefixIndex::Builder::text_of(const Digits& prefix) {
  std::string text(prefix.length, '0');
  std::uint64_t code = prefix.code / pow11(fast_digits_max - prefix.length);
  for (auto c = text.rbegin(); c != text.rend(); ++c, code /= 11)
    *c = static_cast<char>('0' + code % 11 - 1);
  return text;
}

}  // namespace tandem
