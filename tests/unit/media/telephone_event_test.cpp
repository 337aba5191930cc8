// Keys in RTP (RFC 4733).
#include "media/telephone_event.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tandem::media;

namespace {

struct Stream {
  KeyDetector detector;
  std::int64_t now_us = 1'000'000;
  std::uint32_t ssrc = 7;
  std::string begun;                // keys that began
  std::vector<PressedKey> pressed;  // keys that were let go

  void packet(std::uint8_t event, std::uint32_t timestamp, std::uint16_t duration,
              bool is_end = false) {
    now_us += 50'000;
    bool is_new = false;
    std::optional<PressedKey> end_lost;
    const auto key =
        detector.take({event, is_end, 10, duration}, timestamp, ssrc, now_us, is_new, end_lost);
    if (is_new) begun += key_of_event(event);
    if (end_lost) pressed.push_back(*end_lost);
    if (key) pressed.push_back(*key);
  }
};

}  // namespace

TEST_CASE("Telephone event: event, end bit, volume and duration are read from four bytes") {
  const auto event = parse_telephone_event(std::string("\x0B\x8A\x03\x20", 4));
  REQUIRE(event);
  CHECK(event->event == 11);
  CHECK(event->is_end);
  CHECK(event->volume == 10);
  CHECK(event->duration == 800);
  CHECK_FALSE(parse_telephone_event(std::string("\x0B\x8A\x03", 3)));
  CHECK_FALSE(parse_telephone_event({}));
}

TEST_CASE("Telephone event: the sixteen keys and the flash have names, tones have none") {
  std::string keys;
  for (std::uint8_t event = 0; event < 17; ++event)
    keys += key_of_event(event);
  CHECK(keys == "0123456789*#ABCD!");
  CHECK(key_of_event(17) == '\0');
  CHECK(key_of_event(255) == '\0');
}

TEST_CASE("Keys: a sender that begins its timestamps anew under its SSRC is still heard") {
  Stream s;
  s.packet(5, 2'000'000'000, 160, true);
  s.packet(4, 1'999'999'000, 160, true);  // overtaken
  CHECK(s.begun == "5");
  s.now_us += 5'000'000;
  s.packet(6, 1000, 160, true);
  s.packet(7, 2000, 160, true);
  CHECK(s.begun == "567");
  CHECK(s.pressed.size() == 3);
}

TEST_CASE("Keys: the three packets of an end are one key of one duration") {
  Stream s;
  s.packet(5, 1000, 160);
  s.packet(5, 1000, 320);
  for (int i = 0; i < 3; ++i)
    s.packet(5, 1000, 480, true);
  CHECK(s.begun == "5");
  REQUIRE(s.pressed.size() == 1);
  CHECK(s.pressed[0].key == '5');
  CHECK(s.pressed[0].duration == 480);
  CHECK_FALSE(s.pressed[0].is_end_lost);
}

TEST_CASE("Keys: one key twice is two keys, by its timestamp") {
  Stream s;
  s.packet(5, 1000, 160);
  s.packet(5, 1000, 480, true);
  s.packet(5, 3000, 160);
  s.packet(5, 3000, 480, true);
  CHECK(s.begun == "55");
  CHECK(s.pressed.size() == 2);
}

TEST_CASE("Keys: of a key all but one end packet may be lost") {
  Stream s;
  s.packet(9, 1000, 800, true);
  CHECK(s.begun == "9");
  REQUIRE(s.pressed.size() == 1);
  CHECK(s.pressed[0].duration == 800);
}

TEST_CASE("Keys: a lost end ends with the next key, and without one after a quarter of a second") {
  Stream s;
  s.packet(1, 1000, 160);
  s.packet(1, 1000, 320);
  s.packet(2, 5000, 160);
  REQUIRE(s.pressed.size() == 1);
  CHECK(s.pressed[0].key == '1');
  CHECK(s.pressed[0].duration == 320);
  CHECK(s.pressed[0].is_end_lost);
  CHECK_FALSE(s.detector.look(s.now_us + KeyDetector::lost_end_us - 1));
  const auto second = s.detector.look(s.now_us + KeyDetector::lost_end_us);
  REQUIRE(second);
  CHECK(second->key == '2');
  CHECK(second->is_end_lost);
  CHECK_FALSE(s.detector.look(s.now_us + 10 * KeyDetector::lost_end_us));
}

TEST_CASE("Keys: packets that were overtaken by the end or by the next key begin nothing anew") {
  Stream s;
  s.packet(1, 1000, 480, true);
  s.packet(1, 1000, 320);
  s.packet(2, 5000, 480, true);
  s.packet(1, 1000, 480, true);
  s.packet(1, 900, 480, true);
  CHECK(s.begun == "12");
  CHECK(s.pressed.size() == 2);
}

TEST_CASE(
    "Keys: one longer than its field goes on in the next segment (RFC 4733 section 2.5.1.3)") {
  Stream s;
  s.packet(0, 1000, 0xFF00);
  s.packet(0, 1000, 0xFFFF);
  s.packet(0, 1000 + 0xFFFF, 160);
  s.packet(0, 1000 + 0xFFFF, 1000, true);
  CHECK(s.begun == "0");
  REQUIRE(s.pressed.size() == 1);
  CHECK(s.pressed[0].duration == 0xFFFF + 1000);
}

TEST_CASE("Keys: timestamps may wrap, and a new stream begins where it will") {
  Stream s;
  s.packet(3, 0xFFFFFF00, 480, true);
  s.packet(4, 0x00000100, 480, true);
  s.ssrc = 8;
  s.packet(5, 0x000000F0, 480, true);
  CHECK(s.begun == "345");
}

TEST_CASE("Keys: tones of the line are none") {
  Stream s;
  s.packet(36, 1000, 160);
  s.packet(36, 1000, 480, true);
  CHECK(s.begun.empty());
  CHECK(s.pressed.empty());
}
