#include "call/key_input.hpp"

#include <algorithm>
#include <charconv>

#include "sip/message.hpp"

namespace tandem::call {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

char key_of(std::string_view name) noexcept {
  if (name == "10") return '*';
  if (name == "11") return '#';
  constexpr std::string_view keys = "0123456789*#ABCD";
  return name.size() == 1 && keys.find(name.front()) != std::string_view::npos ? name.front()
                                                                               : '\0';
}

}  // namespace

char dtmf_key(const SessionBody& body) noexcept {
  const std::string_view type = trimmed(body.content_type.substr(0, body.content_type.find(';')));
  if (sip::equals_ignoring_case(type, "application/dtmf")) return key_of(trimmed(body.bytes));
  if (!sip::equals_ignoring_case(type, "application/dtmf-relay")) return '\0';
  std::string_view rest = body.bytes;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos &&
        sip::equals_ignoring_case(trimmed(line.substr(0, equals)), "signal")) {
      return key_of(trimmed(line.substr(equals + 1)));
    }
  }
  return '\0';
}

std::uint32_t dtmf_duration_ms(const SessionBody& body) noexcept {
  constexpr std::uint32_t usual_ms = 100, longest_ms = 8000;
  std::string_view rest = body.bytes;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos ||
        !sip::equals_ignoring_case(trimmed(line.substr(0, equals)), "duration"))
      continue;
    const std::string_view text = trimmed(line.substr(equals + 1));
    std::uint32_t ms = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (read.ec == std::errc() && ms > 0) return std::min(ms, longest_ms);
  }
  return usual_ms;
}

std::string dtmf_relay(char key, std::uint32_t duration_ms) {
  return std::string("Signal=") + key + "\r\nDuration=" + std::to_string(duration_ms) + "\r\n";
}

KeyAction KeyInput::press(char key, bool can_order, bool can_cancel, bool can_finish) {
  const State before = state_;
  state_ = State::idle;
  switch (before) {
    case State::idle:
      break;
    case State::star:
      if ((key == '1' || key == '2') && can_order) {
        asks_first_ = key == '2';
        state_ = State::number;
        return KeyAction::take;
      }
      if (key == '0' && can_cancel) return KeyAction::cancel;
      if (key == '#' && can_finish) return KeyAction::finish;
      break;
    case State::number:
      if (key == '#') return number_.empty() ? KeyAction::take : KeyAction::dial;
      state_ = key == '*' ? State::number_star : State::number;
      if (key >= '0' && key <= '9') number_ += key;
      if (number_.size() > digits_max) state_ = State::idle;
      return KeyAction::take;
    case State::number_star:  // *0, or a slip that gives it up too
      return KeyAction::take;
  }
  if (key == '*') state_ = State::star;
  return KeyAction::pass;
}

}  // namespace tandem::call
