#include "tandem/rewrite.hpp"

#include <algorithm>
#include <vector>

#include "tandem/values.hpp"

namespace tandem {
namespace {

constexpr std::size_t number_length_max = 32;
constexpr std::size_t text_bytes_max = 65536;
constexpr std::size_t rules_max = 4096;
constexpr std::size_t targets_max = 64;
constexpr std::size_t stars_max = 8;

struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Rule {
  // The source without length conditions, split at its stars: one segment and no star is a prefix.
  std::vector<std::string> segments{std::string()};
  std::vector<std::string> targets;
  std::size_t length_min = 0;  // Of the whole number.
  std::size_t length_max = number_length_max;
  std::size_t fixed = 0;  // Literals and `?`.
  std::size_t literals = 0;
  std::size_t index = 0;  // In the text.

  [[nodiscard]] std::size_t stars() const noexcept { return segments.size() - 1; }
  [[nodiscard]] bool matches(std::string_view number,
                             std::array<Run, stars_max>& runs) const noexcept;
};

bool segment_is_at(std::string_view segment, std::string_view number, std::size_t offset) noexcept {
  if (offset > number.size() || segment.size() > number.size() - offset) return false;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '?' && segment[i] != number[offset + i]) return false;
  }
  return true;
}

bool Rule::matches(std::string_view number, std::array<Run, stars_max>& runs) const noexcept {
  if (number.size() < length_min || number.size() > length_max || number.size() < fixed) {
    return false;
  }
  if (!segment_is_at(segments.front(), number, 0)) return false;
  if (stars() == 0) return true;
  // Taking each middle segment at its first place leaves most room for those behind it, so no
  // other choice can match when this one does not.
  std::size_t at = segments.front().size();
  for (std::size_t i = 1; i < stars(); ++i) {
    std::size_t place = at;
    while (!segment_is_at(segments[i], number, place)) {
      if (++place > number.size()) return false;
    }
    runs[i - 1] = {at, place};
    at = place + segments[i].size();
  }
  const std::string& last = segments.back();
  if (number.size() - last.size() < at || !segment_is_at(last, number, number.size() - last.size()))
    return false;
  runs[stars() - 1] = {at, number.size() - last.size()};
  return true;
}

bool is_literal(char c) noexcept { return c != '*' && is_number({&c, 1}); }

/// Reads rule text left to right; every error says where it stopped.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  Result<std::vector<Rule>> read();

 private:
  Result<void> read_source(Rule& rule);
  Result<void> read_condition(Rule& rule);
  Result<void> read_targets(Rule& rule);

  [[nodiscard]] bool at_end() const noexcept { return at_ == text_.size(); }
  [[nodiscard]] char peek() const noexcept { return text_[at_]; }
  [[nodiscard]] Error refused(const std::string& what, std::size_t offset,
                              ErrorCode code = ErrorCode::invalid_argument) const {
    return {code, "rewrite rule " + std::to_string(rule_) + " " + what + " at offset " +
                      std::to_string(offset)};
  }
  [[nodiscard]] std::string quoted_char() const {
    const auto byte = static_cast<unsigned char>(peek());
    if (byte > 0x20 && byte < 0x7F) return std::string("\"") + peek() + "\"";
    static constexpr char hex[] = "0123456789abcdef";
    return std::string("byte 0x") + hex[byte >> 4] + hex[byte & 15];
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t rule_ = 1;
};

Result<void> Reader::read_condition(Rule& rule) {
  const std::size_t start = at_++;
  const char kind = at_end() ? '\0' : peek();
  if (kind != '<' && kind != '>' && kind != '=') {
    return refused("had no <, > or = behind the \\", start);
  }
  ++at_;
  std::size_t length = 0;
  const std::size_t digits = at_;
  for (; !at_end() && peek() >= '0' && peek() <= '9'; ++at_) {
    length = std::min<std::size_t>(length * 10 + static_cast<std::size_t>(peek() - '0'), 1000);
  }
  if (at_ == digits) return refused("had a length condition without number", start);
  if (length > number_length_max + 1) {
    return refused("had a length condition above 33", start);
  }
  const std::size_t low = kind == '<' ? 0 : kind == '>' ? length + 1 : length;
  const std::size_t high = kind == '>' ? number_length_max : kind == '=' ? length : length - 1;
  const bool is_below_zero = kind == '<' && length == 0;
  rule.length_min = std::max(rule.length_min, low);
  rule.length_max = std::min(rule.length_max, high);
  if (is_below_zero || rule.length_min > rule.length_max) {
    return refused("had a length condition that no number meets", start);
  }
  return {};
}

Result<void> Reader::read_source(Rule& rule) {
  const std::size_t start = at_;
  for (; !at_end() && peek() != ':';) {
    const char c = peek();
    if (c == '\\') {
      if (auto done = read_condition(rule); !done) return done;
      continue;
    }
    if (c == '*') {
      if (rule.stars() == stars_max) return refused("had more than 8 \"*\" in its source", at_);
      rule.segments.emplace_back();
    } else if (c == '?' || is_literal(c)) {
      if (++rule.fixed > number_length_max) {
        return refused("had a source longer than 32 characters", at_);
      }
      rule.literals += c != '?';
      rule.segments.back() += c;
    } else if (c == ',') {
      return refused("had no \":\"", at_);
    } else {
      return refused("had " + quoted_char() + " in its source", at_);
    }
    ++at_;
  }
  if (at_end()) return refused("had no \":\"", at_);
  if (rule.fixed > rule.length_max) {
    return refused("had a source longer than its length condition allows", start);
  }
  ++at_;
  return {};
}

Result<void> Reader::read_targets(Rule& rule) {
  // A source without "*" has the rest of the number, which a target may place once.
  const std::size_t stars_allowed = std::max<std::size_t>(rule.stars(), 1);
  for (;;) {
    std::string target;
    std::size_t stars = 0;
    for (; !at_end() && peek() != ',' && peek() != ';'; ++at_) {
      const char c = peek();
      if (c != '?' && c != '$' && c != '*' && !is_literal(c)) {
        return refused("had " + quoted_char() + " in its target", at_);
      }
      if (c == '*' && ++stars > stars_allowed) {
        return refused("had more \"*\" in its target than in its source", at_);
      }
      target += c;
    }
    if (rule.targets.size() == targets_max) {
      return refused("had more than 64 targets", at_, ErrorCode::limit);
    }
    rule.targets.push_back(std::move(target));
    if (at_end() || peek() == ',') return {};
    ++at_;
  }
}

Result<std::vector<Rule>> Reader::read() {
  std::vector<Rule> rules;
  if (text_.empty()) return rules;
  for (;; ++rule_) {
    if (rules.size() == rules_max) return refused("was beyond the 4096th", at_, ErrorCode::limit);
    Rule& rule = rules.emplace_back();
    rule.index = rules.size() - 1;
    if (auto done = read_source(rule); !done) return done.error();
    if (auto done = read_targets(rule); !done) return done.error();
    if (at_end()) return rules;
    ++at_;
  }
}

/// Appends to a number and notices when it gets too long.
class Writer {
 public:
  explicit Writer(RewrittenNumber& number) : number_(number) {}
  void put(char c) noexcept {
    if (number_.length == number_length_max) {
      is_full_ = true;
    } else {
      number_.text[number_.length++] = c;
    }
  }
  void put(std::string_view text) noexcept {
    for (char c : text)
      put(c);
  }
  [[nodiscard]] std::size_t position() const noexcept { return number_.length; }
  [[nodiscard]] bool is_full() const noexcept { return is_full_; }

 private:
  RewrittenNumber& number_;
  bool is_full_ = false;
};

}  // namespace

struct RewriteRules::Body {
  std::string text;
  std::vector<Rule> rules;  // Best first (N-03), so that the first match is the one.

  [[nodiscard]] const Rule* find(std::string_view number,
                                 std::array<Run, stars_max>& runs) const noexcept {
    for (const Rule& rule : rules) {
      if (rule.matches(number, runs)) return &rule;
    }
    return nullptr;
  }
};

RewriteRules::RewriteRules(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

Result<RewriteRules> RewriteRules::compile(std::string_view text) {
  if (text.size() > text_bytes_max) {
    return Error{ErrorCode::limit,
                 "rewrite rules had " + std::to_string(text.size()) + " bytes, more than 65536"};
  }
  auto rules = Reader(text).read();
  if (!rules) return rules.error();
  if (rules->empty()) return RewriteRules();
  std::stable_sort(rules->begin(), rules->end(), [](const Rule& a, const Rule& b) {
    return a.fixed != b.fixed ? a.fixed > b.fixed : a.literals > b.literals;
  });
  auto body = std::make_shared<Body>();
  body->text = text;
  body->rules = std::move(*rules);
  return RewriteRules(std::move(body));
}

RewrittenNumber RewriteRules::apply(std::string_view number, Random& random) const noexcept {
  RewrittenNumber result;
  if (number.size() > number_length_max) {
    result.outcome = RewrittenNumber::Outcome::too_long;
    return result;
  }
  Writer out(result);
  std::array<Run, stars_max> runs;
  const Rule* const rule = body_ ? body_->find(number, runs) : nullptr;
  if (rule == nullptr) {
    out.put(number);
    return result;
  }

  result.outcome = RewrittenNumber::Outcome::rewritten;
  const std::size_t matched = rule->stars() > 0 ? number.size() : rule->fixed;
  std::size_t taken = matched;  // Characters that do not come again at the end.
  std::size_t star = 0;
  const std::string& target =
      rule->targets[rule->targets.size() == 1 ? 0 : random.below(rule->targets.size())];
  for (char c : target) {
    const bool takes_further = out.position() >= matched && taken < number.size();
    switch (c) {
      case '*':
        if (rule->stars() > 0) {
          const Run run = runs[star++];
          out.put(number.substr(run.begin, run.end - run.begin));
        } else {
          out.put(number.substr(taken));
          taken = number.size();
        }
        break;
      case '$':
        if (out.position() < matched) {
          out.put(number[out.position()]);
        } else if (takes_further) {
          out.put(number[taken++]);
        }
        break;
      case '?':
        if (takes_further) ++taken;
        out.put(static_cast<char>('0' + random.below(10)));
        break;
      default:
        out.put(c);
    }
  }
  out.put(number.substr(taken));
  if (out.is_full()) {
    result = {};
    result.outcome = RewrittenNumber::Outcome::too_long;
  }
  return result;
}

std::optional<std::size_t> RewriteRules::matching_rule(std::string_view number) const noexcept {
  std::array<Run, stars_max> runs;
  const Rule* const rule =
      body_ && number.size() <= number_length_max ? body_->find(number, runs) : nullptr;
  return rule ? std::optional(rule->index) : std::nullopt;
}

std::size_t RewriteRules::size() const noexcept { return body_ ? body_->rules.size() : 0; }
std::string_view RewriteRules::text() const noexcept {
  return body_ ? std::string_view(body_->text) : std::string_view();
}

}  // namespace tandem
