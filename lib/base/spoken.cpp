#include "tandem/spoken.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/spoken_languages.hpp"

namespace tandem {

namespace {

constexpr std::size_t sections_max = 256;
constexpr std::size_t rules_max = 4096;
constexpr std::size_t name_bytes_max = 200;
constexpr int depth_max = 32;
constexpr std::size_t pieces_max = 4096;            // that one phrase is put together of
constexpr std::uint64_t numbered_files_max = 1000;  // that one "#" stands for

/// A piece of a rule.
struct Piece {
  enum class Kind : std::uint8_t { file, quotient, remainder, whole };
  Kind kind = Kind::file;
  std::string name;  // of the file; of the section that says the number
};

/// How numbers from `base` on, up to the next rule, are said.
struct Rule {
  std::uint64_t base = 0, divisor = 1;
  bool is_refusal = false;
  std::vector<Piece> pieces;
};

/// The greatest power of ten that is not above `base`: what the quotient counts.
std::uint64_t power_of_ten(std::uint64_t base) noexcept {
  std::uint64_t power = 1;
  while (base / 10 >= power)
    power *= 10;
  return power;
}

bool is_name(std::string_view text, std::string_view others) noexcept {
  if (text.size() > name_bytes_max) return false;
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           others.find(c) != std::string_view::npos;
  });
}

/// Of a file below the folder of a voice, and of no other.
bool is_file(std::string_view text) noexcept {
  return is_name(text, "-./#$|") && text.front() != '/' && text.front() != '|' &&
         text.find("..") == std::string_view::npos && text.find("||") == std::string_view::npos &&
         text.find("|/") == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> number_of(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string filled(std::string_view name, std::uint64_t value, std::string_view currency) {
  std::string file;
  for (const char c : name) {
    if (c == '#') {
      file += std::to_string(value);
    } else if (c == '$') {
      file += currency;
    } else {
      file.push_back(c);
    }
  }
  return file;
}

Error at_line(std::size_t line, std::string what) {
  return Error{ErrorCode::invalid_argument,
               "line " + std::to_string(line) + ": " + std::move(what)};
}

Result<Piece> read_piece(std::string_view text, std::size_t line) {
  Piece piece;
  const auto kind = std::string_view("<>=").find(text.front());
  if (kind == std::string_view::npos) {
    if (!is_file(text))
      return at_line(line, "\"" + std::string(text) + "\" is no file below the folder of a voice");
    piece.name = text;
    return piece;
  }
  piece.kind = kind == 0   ? Piece::Kind::quotient
               : kind == 1 ? Piece::Kind::remainder
                           : Piece::Kind::whole;
  text.remove_prefix(1);
  if (!is_name(text, "")) return at_line(line, "\"" + std::string(text) + "\" is no section");
  piece.name = text.empty() ? "number" : text;
  return piece;
}

/// "60/60: <minutes": the text of one rule.
Result<Rule> read_rule(std::string_view text, std::size_t line) {
  const auto colon = text.find(':');
  const std::string_view range = trimmed(text.substr(0, colon));
  const auto slash = range.find('/');
  const auto base = number_of(range.substr(0, slash));
  const auto divisor = slash == std::string_view::npos
                           ? (base ? std::optional(power_of_ten(*base)) : std::nullopt)
                           : number_of(range.substr(slash + 1));
  if (colon == std::string_view::npos || !base || !divisor || *divisor == 0)
    return at_line(
        line, "\"" + std::string(text) + "\" is no \"NUMBER: ...\" or \"NUMBER/DIVISOR: ...\"");
  Rule rule{*base, *divisor, false, {}};
  std::string_view rest = trimmed(text.substr(colon + 1));
  if (rest == "!") {
    rule.is_refusal = true;
    return rule;
  }
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
    auto piece = read_piece(word, line);
    if (!piece) return piece.error();
    rule.pieces.push_back(std::move(*piece));
    rest = trimmed(rest.substr(word.size()));
  }
  return rule;
}

}  // namespace

struct SpokenGrammar::Body {
  std::map<std::string, std::vector<Rule>, std::less<>> sections;  // by "name" or "name CURRENCY"

  /// Of the currency, else of any. Null: there is none.
  const std::vector<Rule>* find(std::string_view name, std::string_view currency) const {
    if (!currency.empty()) {
      const auto own = sections.find(std::string(name) + ' ' + std::string(currency));
      if (own != sections.end()) return &own->second;
    }
    const auto found = sections.find(name);
    return found == sections.end() ? nullptr : &found->second;
  }

  struct Saying {
    SpokenPhrase phrase;
    std::size_t pieces = 0;
  };
  Result<void> say(std::string_view name, std::uint64_t value, std::string_view currency, int depth,
                   Saying& saying) const {
    const std::vector<Rule>* const rules = find(name, currency);
    const auto unsaid = [&](const char* why) {
      return Error{ErrorCode::not_found,
                   "section \"" + std::string(name) + "\" " + why + " " + std::to_string(value)};
    };
    if (rules == nullptr)
      return Error{ErrorCode::not_found,
                   "the grammar had no section \"" + std::string(name) + "\""};
    const auto behind =
        std::upper_bound(rules->begin(), rules->end(), value,
                         [](std::uint64_t number, const Rule& rule) { return number < rule.base; });
    if (behind == rules->begin()) return unsaid("had no rule for");
    const Rule& rule = *std::prev(behind);
    if (rule.is_refusal) return unsaid("does not say");
    if (depth == depth_max) return unsaid("never came to an end with");
    for (const Piece& piece : rule.pieces) {
      // Sections that name each other again and again need not say anything.
      if (++saying.pieces > pieces_max) return unsaid("has too many pieces for");
      if (piece.kind == Piece::Kind::file) {
        if (saying.phrase.size() == files_max)
          return Error{ErrorCode::limit,
                       "a phrase was longer than " + std::to_string(files_max) + " files"};
        saying.phrase.push_back(filled(piece.name, value, currency));
        continue;
      }
      const std::uint64_t part = piece.kind == Piece::Kind::quotient    ? value / rule.divisor
                                 : piece.kind == Piece::Kind::remainder ? value % rule.divisor
                                                                        : value;
      if (piece.kind == Piece::Kind::remainder && part == 0) continue;
      if (auto said = say(piece.name, part, currency, depth + 1, saying); !said) return said;
    }
    return {};
  }

  /// What is wrong with it as a whole; nothing: nothing.
  [[nodiscard]] std::optional<std::string> fault() const {
    for (const auto& [name, rules] : sections) {
      for (std::size_t i = 0; i < rules.size(); ++i) {
        for (const Piece& piece : rules[i].pieces) {
          if (piece.kind != Piece::Kind::file) {
            // One that only some currencies have does for these.
            const auto known = sections.lower_bound(piece.name);
            const bool is_there =
                known != sections.end() &&
                (known->first == piece.name || known->first.starts_with(piece.name + ' '));
            if (!is_there)
              return "section \"" + name + "\" names a section \"" + piece.name +
                     "\" that is not there";
          } else if (piece.name.find('#') != std::string::npos &&
                     (i + 1 == rules.size() ||
                      rules[i + 1].base - rules[i].base > numbered_files_max)) {
            return "section \"" + name + "\": the \"#\" from " + std::to_string(rules[i].base) +
                   " on stands for more than " + std::to_string(numbered_files_max) + " files";
          }
        }
      }
    }
    return std::nullopt;
  }
};

Result<SpokenGrammar> SpokenGrammar::parse(std::string_view text) {
  if (text.size() > text_bytes_max)
    return Error{ErrorCode::limit,
                 "a grammar was longer than " + std::to_string(text_bytes_max) + " bytes"};
  auto body = std::make_shared<Body>();
  std::vector<Rule>* section = nullptr;
  std::size_t line = 0, rules = 0;
  while (!text.empty()) {
    ++line;
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view said = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (said.empty() || said.front() == '#') continue;
    if (said.front() == '[') {
      const std::string_view name = said.substr(1, said.size() - 2);
      const auto space = name.find(' ');
      const bool is_whole = said.size() > 2 && said.back() == ']' && !name.starts_with(' ');
      if (!is_whole || !is_name(name.substr(0, space), "") ||
          (space != std::string_view::npos &&
           (space + 1 == name.size() || !is_name(name.substr(space + 1), ""))))
        return at_line(
            line, "\"" + std::string(said) + "\" is no \"[section]\" or \"[section CURRENCY]\"");
      const auto [place, is_new] = body->sections.try_emplace(std::string(name));
      if (!is_new) return at_line(line, "section \"" + std::string(name) + "\" is there twice");
      if (body->sections.size() > sections_max)
        return at_line(line, "more than " + std::to_string(sections_max) + " sections");
      section = &place->second;
      continue;
    }
    if (section == nullptr) return at_line(line, "a rule stands before the first section");
    auto rule = read_rule(said, line);
    if (!rule) return rule.error();
    if (!section->empty() && rule->base <= section->back().base)
      return at_line(line, "rule " + std::to_string(rule->base) + " does not follow " +
                               std::to_string(section->back().base));
    if (++rules > rules_max)
      return at_line(line, "more than " + std::to_string(rules_max) + " rules");
    section->push_back(std::move(*rule));
  }
  if (auto fault = body->fault()) return Error{ErrorCode::invalid_argument, std::move(*fault)};
  SpokenGrammar grammar;
  grammar.body_ = std::move(body);
  return grammar;
}

Result<SpokenGrammar> SpokenGrammar::built_in(std::string_view language) {
  for (const SpokenLanguage& known : spoken_languages) {
    if (known.name == language) return parse(known.grammar);
  }
  return Error{ErrorCode::not_found,
               "no grammar of \"" + std::string(language) + "\" was built in"};
}

std::vector<std::string> SpokenGrammar::built_in_languages() {
  std::vector<std::string> names;
  for (const SpokenLanguage& known : spoken_languages)
    names.emplace_back(known.name);
  return names;
}

Result<SpokenPhrase> SpokenGrammar::number(std::uint64_t value) const {
  return say("number", value);
}

Result<SpokenPhrase> SpokenGrammar::remaining_time(std::uint64_t seconds) const {
  return say("remaining_time", seconds);
}

Result<SpokenPhrase> SpokenGrammar::remaining_amount(Amount amount,
                                                     std::string_view currency) const {
  constexpr std::int64_t hundredth = Amount::scale / 100;
  const std::int64_t hundredths = std::max<std::int64_t>(0, amount.units()) / hundredth;
  return say("remaining_amount", static_cast<std::uint64_t>(hundredths), currency);
}

Result<SpokenPhrase> SpokenGrammar::say(std::string_view section, std::uint64_t value,
                                        std::string_view currency) const {
  Body::Saying saying;
  if (body_ == nullptr) return Error{ErrorCode::not_found, "the grammar was empty"};
  if (auto said = body_->say(section, value, currency, 0, saying); !said) return said.error();
  return std::move(saying.phrase);
}

Result<SpokenPhrase> SpokenGrammar::vocabulary(std::string_view section,
                                               std::string_view currency) const {
  std::set<std::string> files;
  std::set<std::string_view> seen;
  std::vector<std::string_view> open{section};
  while (!open.empty()) {
    const std::string_view name = open.back();
    open.pop_back();
    if (!seen.insert(name).second) continue;
    const std::vector<Rule>* const rules = body_ == nullptr ? nullptr : body_->find(name, currency);
    if (rules == nullptr)
      return Error{ErrorCode::not_found,
                   "the grammar had no section \"" + std::string(name) + "\""};
    for (std::size_t i = 0; i < rules->size(); ++i) {
      for (const Piece& piece : (*rules)[i].pieces) {
        if (piece.kind != Piece::Kind::file) {
          open.push_back(piece.name);
          continue;
        }
        // parse() has seen that a rule of numbers has a next one.
        const bool is_numbered = piece.name.find('#') != std::string::npos;
        const std::uint64_t first = (*rules)[i].base;
        const std::uint64_t last = is_numbered ? (*rules)[i + 1].base - 1 : first;
        for (std::uint64_t k = 0; k <= last - first; ++k)
          files.insert(filled(piece.name, first + k, currency));
      }
    }
  }
  return SpokenPhrase(files.begin(), files.end());
}

}  // namespace tandem
