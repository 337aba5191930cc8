#include "switch/config_reader_json.hpp"

#include <cctype>
#include <set>

#include "base/json_depth.hpp"
#include "base/text.hpp"

namespace tandem::config {

namespace {

void append_token(std::string& pointer, std::string_view key) {  // RFC 6901 section 4
  pointer += '/';
  for (char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

/// A callback of Json::parse().
class RepeatedKeys {
 public:
  explicit RepeatedKeys(std::vector<std::string>& found) : found_(found) {}
  bool operator()(int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      open_.emplace_back();
    } else if (event == Json::parse_event_t::object_end && !open_.empty()) {
      open_.pop_back();
    } else if (event == Json::parse_event_t::key && !open_.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!open_.back().insert(key).second) found_.push_back(key);
    }
    return true;
  }

 private:
  std::vector<std::string>& found_;
  std::vector<std::set<std::string>> open_;
};

Result<Json> parse(std::string_view text, const Json::parser_callback_t& callback,
                   Comments comments) {
  if (const auto at = too_deep_at(text)) {
    const std::string_view before = text.substr(0, *at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t column = *at - (before.rfind('\n') + 1);  // npos + 1 is the first line's 0
    return Error{ErrorCode::invalid_argument,
                 "text nests deeper than " + std::to_string(json_depth_max) + " levels at line " +
                     std::to_string(line) + ", column " + std::to_string(column + 1)};
  }
  try {
    return Json::parse(text.begin(), text.end(), callback, true, comments == Comments::allowed);
  } catch (const Json::exception& error) {
    // It quotes what it could not read, whatever bytes that was.
    return Error{ErrorCode::invalid_argument,
                 printable("text is no JSON: " + std::string(error.what()))};
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text) { return parse(text, nullptr, Comments::refused); }

Result<Json> parse_json(std::string_view text, Comments comments,
                        std::vector<std::string>& repeated) {
  return parse(text, RepeatedKeys(repeated), comments);
}

Json json_or_null(std::string_view text) {
  auto json = parse_json(text);
  return json ? std::move(*json) : Json();
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return text;
}

Reader::Step::Step(Reader& reader, std::string_view key)
    : reader_(reader), length_(reader.pointer_.size()) {
  append_token(reader_.pointer_, key);
}

Reader::Step::Step(Reader& reader, std::size_t index) : Step(reader, std::to_string(index)) {}

void Reader::fail(std::string message) { errors_.push_back({pointer_, std::move(message)}); }

bool Reader::same_word(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  auto skip = [](std::string_view text, std::size_t& k) {
    while (k < text.size() && (text[k] == ' ' || text[k] == '_'))
      ++k;
  };
  for (;; ++i, ++j) {
    skip(a, i);
    skip(b, j);
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (std::tolower(static_cast<unsigned char>(a[i])) !=
        std::tolower(static_cast<unsigned char>(b[j])))
      return false;
  }
}

bool Reader::string(const Json& value, std::string& out, std::size_t length_max) {
  if (!value.is_string()) {
    fail("expected a text, found " + shown(value));
    return false;
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > length_max) {
    fail("text of " + std::to_string(text.size()) + " bytes is longer than " +
         std::to_string(length_max));
    return false;
  }
  out = text;
  return true;
}

bool Reader::boolean(const Json& value, bool& out) {
  if (value.is_boolean()) {
    out = value.get<bool>();
    return true;
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (auto [word, meaning] :
         {std::pair{"on", true}, {"true", true}, {"off", false}, {"false", false}}) {
      if (same_word(text, word)) {
        out = meaning;
        return true;
      }
    }
  }
  fail("expected true or false, found " + shown(value));
  return false;
}

bool Reader::integer(const Json& value, std::int64_t low, std::int64_t high, std::int64_t& out) {
  std::int64_t number = 0;
  if (value.is_number_unsigned()) {
    const auto wide = value.get<std::uint64_t>();
    number =
        wide > static_cast<std::uint64_t>(INT64_MAX) ? INT64_MAX : static_cast<std::int64_t>(wide);
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else {
    std::optional<std::int64_t> read;
    if (value.is_string()) read = parse_integer<std::int64_t>(value.get_ref<const std::string&>());
    if (!read) {
      fail("expected a whole number, found " + shown(value));
      return false;
    }
    number = *read;
  }
  if (number < low || number > high) {
    fail(shown(value) + " is not in " + std::to_string(low) + ".." + std::to_string(high));
    return false;
  }
  out = number;
  return true;
}

bool Reader::amount(const Json& value, Amount& out) {
  if (!value.is_string()) {
    fail("expected a decimal in quotes, such as \"0.60\", found " + shown(value));
    return false;
  }
  auto parsed = Amount::parse(value.get_ref<const std::string&>());
  if (!parsed) {
    fail(parsed.error().message);
    return false;
  }
  out = *parsed;
  return true;
}

bool Reader::time(const Json& value, std::int64_t& out_us) {
  std::string written;
  if (!string(value, written)) return false;
  auto parsed = parse_time_us(written);
  if (!parsed) {
    fail(parsed.error().message);
    return false;
  }
  out_us = *parsed;
  return true;
}

bool Reader::strings(const Json& value, std::vector<std::string>& out) {
  std::vector<std::string> read;
  if (value.is_string()) {
    const auto& list = value.get_ref<const std::string&>();
    for (std::size_t from = 0; from <= list.size();) {
      std::size_t to = std::min(list.find(',', from), list.size());
      std::size_t begin = list.find_first_not_of(' ', from);
      if (begin < to) {
        std::size_t end = list.find_last_not_of(' ', to - 1);
        read.push_back(list.substr(begin, end - begin + 1));
      }
      from = to + 1;
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      Step step(*this, i);
      std::string item;
      if (string(value[i], item)) read.push_back(std::move(item));
    }
  } else {
    fail("expected a list of texts, found " + shown(value));
    return false;
  }
  out = std::move(read);
  return true;
}

}  // namespace tandem::config
