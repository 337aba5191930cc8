#include "lrn/naptr_rule.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace tandem::lrn {
namespace {

constexpr std::size_t subject_max = 64;
constexpr std::size_t items_max = 255;  // as long as the text of a record
constexpr std::size_t groups_max = 9;
constexpr unsigned repeats_max = 255;

using Characters = std::bitset<256>;

/// One step of an expression.
struct Item {
  enum class Kind : std::uint8_t { characters, begin, end, open, close };
  Kind kind = Kind::characters;
  Characters characters;
  unsigned least = 1, most = 1;  // of the characters
  std::size_t group = 0;         // open, close
};

unsigned char byte(char c) noexcept { return static_cast<unsigned char>(c); }

/// Reads an extended regular expression, as far as they are understood here.
class Expression {
 public:
  Expression(std::string_view text, bool ignores_case) : text_(text), ignores_case_(ignores_case) {
    while (is_good_ && at_ < text_.size())
      read_item();
    is_good_ = is_good_ && open_.empty() && items_.size() <= items_max;
  }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }
  [[nodiscard]] const std::vector<Item>& items() const noexcept { return items_; }
  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }

 private:
  void read_item() {
    Item item;
    const char c = text_[at_++];
    switch (c) {
      case '^':
        item.kind = Item::Kind::begin;
        break;
      case '$':
        item.kind = Item::Kind::end;
        break;
      case '(':
        item.kind = Item::Kind::open;
        item.group = ++groups_;
        open_.push_back(item.group);
        break;
      case ')':
        if (open_.empty()) return fail();
        item.kind = Item::Kind::close;
        item.group = open_.back();
        open_.pop_back();
        break;
      case '.':
        item.characters.set();
        break;
      case '[':
        read_bracket(item.characters);
        break;
      case '\\':
        if (at_ == text_.size() || is_letter_or_digit(text_[at_])) return fail();
        add(item.characters, byte(text_[at_++]));
        break;
      case '|':
      case '*':
      case '+':
      case '?':
      case '{':
        return fail();
      default:
        add(item.characters, byte(c));
    }
    read_repeats(item);
    if (groups_ > groups_max) return fail();
    items_.push_back(item);
  }

  void read_bracket(Characters& characters) {
    const bool is_negated = at_ < text_.size() && text_[at_] == '^';
    at_ += is_negated ? 1 : 0;
    const std::size_t first = at_;
    for (; at_ < text_.size() && (text_[at_] != ']' || at_ == first); ++at_) {
      const unsigned low = byte(text_[at_]);
      if (low == '[') return fail();  // a class by name
      unsigned high = low;
      if (at_ + 2 < text_.size() && text_[at_ + 1] == '-' && text_[at_ + 2] != ']') {
        high = byte(text_[at_ + 2]);
        at_ += 2;
      }
      if (high < low) return fail();
      for (unsigned one = low; one <= high; ++one)
        add(characters, static_cast<unsigned char>(one));
    }
    if (at_ == text_.size()) return fail();
    ++at_;
    if (is_negated) characters.flip();
  }

  void read_repeats(Item& item) {
    if (at_ == text_.size()) return;
    unsigned least = 1, most = 1;
    switch (text_[at_]) {
      case '*':
        least = 0;
        most = repeats_max;
        break;
      case '+':
        most = repeats_max;
        break;
      case '?':
        least = 0;
        break;
      case '{': {
        const std::size_t end = text_.find('}', at_);
        if (end == std::string_view::npos) return fail();
        const std::string_view counts = text_.substr(at_ + 1, end - at_ - 1);
        const std::size_t comma = counts.find(',');
        const auto from = parse_integer<unsigned>(counts.substr(0, comma));
        const auto to = comma == std::string_view::npos ? from
                        : comma + 1 == counts.size()
                            ? std::optional(repeats_max)
                            : parse_integer<unsigned>(counts.substr(comma + 1));
        if (!from || !to || *from > *to || *to > repeats_max) return fail();
        least = *from;
        most = *to;
        at_ = end;
        break;
      }
      default:
        return;
    }
    ++at_;
    if (item.kind != Item::Kind::characters) return fail();
    item.least = least;
    item.most = most;
  }

  void add(Characters& characters, unsigned char c) const {
    characters.set(c);
    if (!ignores_case_) return;
    characters.set(byte(to_lower(static_cast<char>(c))));
    if (c >= 'a' && c <= 'z') characters.set(c - 32U);
  }
  static bool is_letter_or_digit(char c) noexcept {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
  }
  void fail() noexcept { is_good_ = false; }

  const std::string_view text_;
  const bool ignores_case_;
  std::size_t at_ = 0;
  std::size_t groups_ = 0;
  std::vector<std::size_t> open_;
  std::vector<Item> items_;
  bool is_good_ = true;
};

/// Where the groups of a match are.
using Groups = std::array<std::pair<std::size_t, std::size_t>, groups_max + 1>;

/// Greedy, with a way back, and with a bound on the steps.
class Matcher {
 public:
  Matcher(const std::vector<Item>& items, std::string_view subject, int& steps_left)
      : items_(items), subject_(subject), steps_left_(steps_left) {}

  [[nodiscard]] bool match(Groups& groups) {
    for (std::size_t begin = 0; begin <= subject_.size(); ++begin) {
      if (follow(0, begin, groups)) return true;
    }
    return false;
  }

 private:
  bool follow(std::size_t item_at, std::size_t at, Groups& groups) {
    if (steps_left_ <= 0) return false;
    --steps_left_;
    if (item_at == items_.size()) return true;
    const Item& item = items_[item_at];
    switch (item.kind) {
      case Item::Kind::begin:
        return at == 0 && follow(item_at + 1, at, groups);
      case Item::Kind::end:
        return at == subject_.size() && follow(item_at + 1, at, groups);
      case Item::Kind::open:
        groups[item.group].first = at;
        return follow(item_at + 1, at, groups);
      case Item::Kind::close:
        groups[item.group].second = at;
        return follow(item_at + 1, at, groups);
      case Item::Kind::characters:
        break;
    }
    std::size_t count = 0;
    while (count < item.most && at + count < subject_.size() &&
           item.characters.test(byte(subject_[at + count]))) {
      ++count;
    }
    for (; count + 1 > item.least; --count) {
      if (follow(item_at + 1, at + count, groups)) return true;
      if (count == 0) break;
    }
    return false;
  }

  const std::vector<Item>& items_;
  const std::string_view subject_;
  int& steps_left_;
};

/// The text up to the next delimiter that no backslash stands before. Nothing: there is none.
std::optional<std::string> take_part(std::string_view& rest, char delimiter) {
  std::string part;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == delimiter) {
      rest.remove_prefix(i + 1);
      return part;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) {
      if (rest[i + 1] != delimiter) part += '\\';
      ++i;
    }
    part += rest[i];
  }
  return std::nullopt;
}

std::optional<std::string> replaced(std::string_view replacement, std::string_view subject,
                                    const Groups& groups, std::size_t group_count) {
  std::string out;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    char c = replacement[i];
    if (c == '\\') {
      if (++i == replacement.size()) return std::nullopt;
      c = replacement[i];
      if (c >= '0' && c <= '9') {
        const auto group = static_cast<std::size_t>(c - '0');
        if (group == 0 || group > group_count) return std::nullopt;
        const auto [begin, end] = groups[group];
        out += subject.substr(begin, end - begin);
        continue;
      }
    }
    out += c;
  }
  return out;
}

}  // namespace

std::optional<std::string> apply_naptr_rule(std::string_view rule, std::string_view subject,
                                            int& steps_left) {
  if (rule.empty() || subject.size() > subject_max) return std::nullopt;
  const char delimiter = rule.front();
  if ((delimiter >= '0' && delimiter <= '9') || delimiter == '\\' || delimiter == 'i')
    return std::nullopt;
  std::string_view rest = rule.substr(1);
  const auto expression_text = take_part(rest, delimiter);
  if (!expression_text) return std::nullopt;
  const auto replacement = take_part(rest, delimiter);
  if (!replacement || (!rest.empty() && rest != "i")) return std::nullopt;
  const Expression expression(*expression_text, rest == "i");
  if (!expression.is_good()) return std::nullopt;
  Groups groups{};
  if (!Matcher(expression.items(), subject, steps_left).match(groups)) return std::nullopt;
  auto result = replaced(*replacement, subject, groups, expression.groups());
  if (!result || result->size() > naptr_result_bytes_max) return std::nullopt;
  return result;
}

}  // namespace tandem::lrn
