#include "call/key_input.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem;
using namespace tandem::call;

namespace {

void never(void*) {}

/// What becomes of keys that come one after the other, a letter for each, and of the number.
struct Pressed {
  std::string actions, number;
  bool asks_first = false;
};

Pressed press(std::string_view keys, bool can_order = true, bool can_cancel = true,
              bool can_finish = true) {
  KeyInput input(MediaSide::caller, never, nullptr);
  Pressed pressed;
  for (const char key : keys) {
    const KeyAction action = input.press(key, can_order, can_cancel, can_finish);
    pressed.actions += action == KeyAction::pass     ? 'p'
                       : action == KeyAction::take   ? 't'
                       : action == KeyAction::dial   ? 'd'
                       : action == KeyAction::cancel ? 'c'
                                                     : 'f';
  }
  pressed.number = input.number();
  pressed.asks_first = input.asks_first();
  return pressed;
}

}  // namespace

TEST_CASE("Key input: an order is a star, one, a number and a hash (T-04)") {
  const Pressed order = press("*14420#");
  CHECK(order.actions ==
        "pttttt"
        "d");
  CHECK(order.number == "4420");
  CHECK(press("123#*").actions == "ppppp");
  CHECK(press("**1").actions == "ppt");
  CHECK(press("*3").actions == "pp");
  CHECK(press("*14", false).actions == "ppp");
  CHECK(press("*1#4").actions == "pttp");  // without a number nothing is ordered
  CHECK(press("*1A4#").actions == "ptttd");
  CHECK(press("*1A4#").number == "4");
}

TEST_CASE("Key input: star and zero cancel, before the hash and after it (T-06)") {
  CHECK(press("*0").actions == "pc");
  CHECK(press("*0", true, false).actions == "pp");
  CHECK(press("*144*05").actions == "ptttttp");
}

TEST_CASE("Key input: star and two ask the target first, star and hash end that (T-05, T-06)") {
  const Pressed order = press("*24420#");
  CHECK(order.actions ==
        "pttttt"
        "d");
  CHECK(order.number == "4420");
  CHECK(order.asks_first);
  CHECK_FALSE(press("*14420#").asks_first);
  CHECK(press("*24", false).actions == "ppp");
  CHECK(press("*#").actions == "pf");
  CHECK(press("*#", true, true, false).actions == "pp");
}

TEST_CASE("Key input: a number has an end (T-04)") {
  const std::string digits(KeyInput::digits_max, '7');
  CHECK(press("*1" + digits + "#").number == digits);
  CHECK(press("*1" + digits + "#").actions.back() == 'd');
  const std::string many = press("*1" + digits + "77#").actions;
  CHECK(many.substr(many.size() - 3) == "tpp");
}

TEST_CASE("Key input: keys in the bodies of INFO (T-04)") {
  CHECK(dtmf_key({"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"}) == '5');
  CHECK(dtmf_key({"Application/DTMF-Relay;x=y", "Duration=160\nsignal = * \n"}) == '*');
  CHECK(dtmf_key({"application/dtmf-relay", "Signal=11"}) == '#');
  CHECK(dtmf_key({"application/dtmf", "10"}) == '*');
  CHECK(dtmf_key({"application/dtmf", " 7\r\n"}) == '7');
  CHECK(dtmf_key({"application/dtmf", "77"}) == '\0');
  CHECK(dtmf_key({"application/dtmf-relay", "Duration=160\r\n"}) == '\0');
  CHECK(dtmf_key({"application/dtmf-relay", ""}) == '\0');
  CHECK(dtmf_key({"text/plain", "Signal=5"}) == '\0');
}
