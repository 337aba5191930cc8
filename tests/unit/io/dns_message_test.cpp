// What name servers are asked, and what is believed of their answers.
#include "io/dns_message.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::io::dns;

namespace {

std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)};
}
std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(label.size() < name.size() ? label.size() + 1 : name.size());
  }
  return out + '\0';
}
std::string pointer(unsigned offset) { return u16(0xc000U | offset); }
std::string text(std::string_view bytes) {
  return static_cast<char>(bytes.size()) + std::string(bytes);
}
std::string record(const std::string& name, unsigned type, const std::string& data,
                   unsigned record_class = 1, unsigned ttl_s = 300) {
  return name + u16(type) + u16(record_class) + u16(ttl_s >> 16U) + u16(ttl_s & 0xffffU) +
         u16(static_cast<unsigned>(data.size())) + data;
}

/// A response whose question stands at byte 12, so that pointer(12) is its name.
struct Message {
  unsigned id = 7, flags = 0x8180;
  std::string name = "example.net";
  unsigned type = 35;
  std::vector<std::string> answers, authorities, additional;

  [[nodiscard]] std::string bytes() const {
    std::string out = u16(id) + u16(flags) + u16(1);
    for (const auto* section : {&answers, &authorities, &additional})
      out += u16(static_cast<unsigned>(section->size()));
    out += wire_name(name) + u16(type) + u16(1);
    for (const auto* section : {&answers, &authorities, &additional}) {
      for (const std::string& one : *section)
        out += one;
    }
    return out;
  }
};

std::string fault_of(const std::string& bytes) {
  const auto read = decode_response(bytes);
  return read ? "" : read.error().message;
}

}  // namespace

TEST_CASE("DNS: a question is the bytes of RFC 1035 with an OPT record (R-20, RFC 6891)") {
  const auto query = encode_query(0x1234, {"1.2.e164.arpa", RecordType::naptr});
  REQUIRE(query.ok());
  const std::string expected =
      std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01", 12) +
      std::string("\x01\x31\x01\x32\x04\x65\x31\x36\x34\x04\x61rpa\x00", 15) +
      std::string("\x00\x23\x00\x01", 4) +
      std::string("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 11);
  CHECK(*query == expected);
  CHECK(encode_query(0, {"", RecordType::a}).ok());
  for (const std::string& bad :
       {std::string("a..b"), std::string(".a"), std::string("a."), std::string("a b"),
        std::string(64, 'a'), std::string("a\\b"), std::string("a\n")}) {
    CHECK_FALSE_MESSAGE(is_name(bad), bad);
    CHECK_FALSE(encode_query(0, {bad, RecordType::a}).ok());
  }
  std::string longest;
  for (int i = 0; i < 126; ++i)
    longest += "a.";
  longest += 'a';
  CHECK(longest.size() == 253);
  CHECK(is_name(longest));
  CHECK_FALSE(is_name(longest + "a.a"));
}

TEST_CASE("DNS: records of every kind are read, compressed or not; others are passed over") {
  Message message;
  message.answers = {
      record(pointer(12), 35,
             u16(100) + u16(10) + text("u") + text("E2U+sip") + text("!^.*$!sip:a@b.c!") +
                 std::string(1, '\0')),
      record(wire_name("Example.NET"), 33, u16(1) + u16(2) + u16(5060) + text("sip") + pointer(12)),
      record(pointer(12), 1, std::string("\xc0\x00\x02\x07", 4)),
      record(pointer(12), 16, text("other types")),
      record(pointer(12), 1, std::string("\x01\x02\x03\x04", 4), 3),
  };
  message.authorities = {record(pointer(12), 2, wire_name("ns.example.net"))};
  message.additional = {
      record(wire_name("sip.example.net"), 28, std::string(15, '\0') + '\1', 1, 0x80000000U),
      record(std::string(1, '\0'), 41, "", 1232, 0x01000000U)};
  const auto read = decode_response(message.bytes());
  REQUIRE_MESSAGE(read.ok(), fault_of(message.bytes()));
  CHECK(read->id == 7);
  CHECK(read->code == 16);  // the high bits of the OPT record
  CHECK_FALSE(read->is_truncated);
  CHECK(read->question.name == "example.net");
  CHECK(read->question.type == RecordType::naptr);
  REQUIRE(read->records.size() == 4);
  CHECK(
      read->records[0] ==
      Record{"example.net", 300, NamingAuthority{100, 10, "u", "E2U+sip", "!^.*$!sip:a@b.c!", ""}});
  CHECK(read->records[1] == Record{"Example.NET", 300, Service{1, 2, 5060, "sip.example.net"}});
  CHECK(read->records[2] == Record{"example.net", 300, IpAddress::ipv4(192, 0, 2, 7)});
  CHECK(read->records[3] == Record{"sip.example.net", 0, IpAddress::parse("::1").value()});
  CHECK(read->records[0].type() == RecordType::naptr);
  CHECK(read->records[1].type() == RecordType::srv);
  CHECK(read->records[2].type() == RecordType::a);
  CHECK(read->records[3].type() == RecordType::aaaa);
}

TEST_CASE("DNS: an answer is one only to the question that was asked") {
  const auto read = decode_response(Message().bytes());
  REQUIRE(read.ok());
  CHECK(is_answer_to(*read, 7, {"EXAMPLE.net", RecordType::naptr}));
  CHECK_FALSE(is_answer_to(*read, 8, {"example.net", RecordType::naptr}));
  CHECK_FALSE(is_answer_to(*read, 7, {"example.net", RecordType::srv}));
  CHECK_FALSE(is_answer_to(*read, 7, {"example.org", RecordType::naptr}));
}

TEST_CASE("DNS: only the answer section is followed, with the least TTL on the way") {
  Message message;
  message.name = "a.b";
  message.type = 1;
  const std::string address("\x0a\0\0\1", 4);
  message.answers = {record(pointer(12), 5, wire_name("c.d"), 1, 60),
                     record(wire_name("c.d"), 1, address, 1, 300)};
  message.additional = {record(pointer(12), 1, address), record(wire_name("x.y"), 1, address)};
  const auto read = decode_response(message.bytes());
  REQUIRE(read.ok());
  CHECK(read->answers == 2);
  const Chain chain = follow_aliases(*read, "A.B", RecordType::a);
  REQUIRE(chain.records.size() == 1);
  CHECK(chain.end == "c.d");
  CHECK(chain.aliases == 1);
  CHECK(chain.ttl_s == 60);
  CHECK(follow_aliases(*read, "x.y", RecordType::a).records.empty());
  // Where it leads is told when nothing is there.
  message.answers = {record(pointer(12), 5, wire_name("c.d"), 1, 60)};
  const auto half = decode_response(message.bytes());
  REQUIRE(half.ok());
  CHECK(follow_aliases(*half, "a.b", RecordType::a).end == "c.d");
  // A circle ends with one more than may be followed.
  message.answers = {record(pointer(12), 5, wire_name("a.b"))};
  const auto circle = decode_response(message.bytes());
  REQUIRE(circle.ok());
  CHECK(follow_aliases(*circle, "a.b", RecordType::a).aliases == aliases_max + 1);
}

TEST_CASE("DNS: how long there is nothing is the SOA record's TTL or MINIMUM (RFC 2308)") {
  Message message;
  message.flags = 0x8183;
  const std::string mailbox = text("john.doe\\x") + wire_name("example.net");
  const auto soa = [&](unsigned minimum_s) {
    return wire_name("ns.example.net") + mailbox + std::string(16, '\1') + u16(0) + u16(minimum_s);
  };
  message.authorities = {record(pointer(12), 6, soa(90), 1, 300)};
  auto read = decode_response(message.bytes());
  REQUIRE(read.ok());
  CHECK(read->negative_ttl_s == 90U);
  CHECK(read->records.empty());
  message.authorities = {record(pointer(12), 6, soa(900), 1, 300)};
  CHECK(decode_response(message.bytes())->negative_ttl_s == 300U);
  message.authorities = {};
  CHECK_FALSE(decode_response(message.bytes())->negative_ttl_s);
  message.authorities = {record(pointer(12), 6, soa(90) + "x", 1, 300)};
  CHECK(fault_of(message.bytes()).find("longer than what it holds") != std::string::npos);
  message.authorities = {record(pointer(12), 6, wire_name("ns.example.net"), 1, 300)};
  CHECK(fault_of(message.bytes()).find("an end too early") != std::string::npos);
}

TEST_CASE("DNS: a truncated answer says so and has no records") {
  Message message;
  message.flags |= 0x0200U;
  message.answers = {record(pointer(12), 1, "xx")};
  const std::string bytes = message.bytes();
  for (std::size_t cut = 0; cut < 10; ++cut) {
    const auto read = decode_response(std::string_view(bytes).substr(0, bytes.size() - cut));
    REQUIRE(read.ok());
    CHECK(read->is_truncated);
    CHECK(read->records.empty());
  }
}

TEST_CASE("DNS: what breaks a rule is refused and named, compression loops among it") {
  Message good;
  good.answers = {record(pointer(12), 35,
                         u16(1) + u16(2) + text("u") + text("E2U+sip") + text("!a!b!") +
                             wire_name("r.example")),
                  record(pointer(12), 33, u16(1) + u16(2) + u16(3) + wire_name("s.example"))};
  const std::string whole = good.bytes();
  REQUIRE(fault_of(whole).empty());
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_MESSAGE(!fault_of(whole.substr(0, length)).empty(), length);
  CHECK_FALSE(fault_of(whole + '\0').empty());

  const auto with = [](const std::string& answer) {
    Message message;
    message.answers = {answer};
    return fault_of(message.bytes());
  };
  const unsigned first = 12 + 13 + 4;  // where the first answer begins
  CHECK(with(record(pointer(first), 1, "abcd")).find("pointer") != std::string::npos);
  CHECK(with(record(pointer(first + 2), 1, "abcd")).find("pointer") != std::string::npos);
  CHECK(with(record(pointer(4), 1, "abcd")).find("pointer") != std::string::npos);
  CHECK(with(record(text("x") + pointer(first), 1, "abcd")).find("pointer") != std::string::npos);
  CHECK(with(record("\x40x", 1, "abcd")).find("label") != std::string::npos);
  CHECK(with(record(text("a.b") + '\0', 1, "abcd")).find("no text") != std::string::npos);
  CHECK(with(record(text("a b") + '\0', 1, "abcd")).find("no text") != std::string::npos);
  CHECK_FALSE(with(record(pointer(12), 1, "abc")).empty());
  CHECK_FALSE(with(record(pointer(12), 1, "abcde")).empty());
  CHECK_FALSE(with(record(pointer(12), 28, "abcd")).empty());
  CHECK_FALSE(with(record(pointer(12), 33, u16(1) + u16(2) + u16(3))).empty());
  CHECK_FALSE(with(record(pointer(12), 35, u16(1) + u16(2) + "\x09u")).empty());
  // A name may not run out of the record that holds it.
  CHECK_FALSE(with(record(pointer(12), 5,
                          std::string("\x03"
                                      "ab",
                                      3)))
                  .empty());
  std::string too_long;
  for (int i = 0; i < 4; ++i)
    too_long += text(std::string(63, 'x'));
  CHECK(with(record(too_long + '\0', 1, "abcd")).find("too long") != std::string::npos);

  Message odd;
  odd.flags = 0x0100;
  CHECK_FALSE(fault_of(odd.bytes()).empty());  // a question
  odd.flags = 0xa180;
  CHECK_FALSE(fault_of(odd.bytes()).empty());  // an UPDATE
  odd = {};
  odd.answers.assign(records_max, record(pointer(12), 1, "abcd"));
  CHECK(fault_of(odd.bytes()).empty());
  odd.additional = {record(pointer(12), 1, "abcd")};
  const auto many = decode_response(odd.bytes());
  REQUIRE_FALSE(many.ok());
  CHECK(many.error().code == ErrorCode::limit);
}

TEST_CASE("DNS: a chain of pointers is followed sixteen times and no further") {
  for (const int links : {15, 16}) {
    // A record of another type is a staircase of pointers, each to the one before.
    Message message;
    const unsigned data_at = 12 + 13 + 4 + 2 + 10;
    std::string stairs = wire_name("x");
    unsigned last = data_at;
    for (int i = 0; i < links; ++i) {
      stairs += pointer(last);
      last = i == 0 ? data_at + 3 : last + 2;
    }
    message.answers = {record(pointer(12), 16, stairs), record(pointer(last), 1, "abcd")};
    const auto read = decode_response(message.bytes());
    CHECK(read.ok() == (links == 15));
    if (read) CHECK(read->records.at(0).name == "x");
  }
}

TEST_CASE("DNS: whatever stands in a response, names stay names and what is read is bounded") {
  Message message;
  message.answers = {
      record(
          pointer(12), 35,
          u16(100) + u16(10) + text("u") + text("E2U+sip") + text("!a!b!") + std::string(1, '\0')),
      record(pointer(12), 5, text("alias") + pointer(12)),
      record(text("alias") + pointer(12), 33, u16(1) + u16(1) + u16(1) + pointer(12))};
  const std::string seed = message.bytes();
  SeededRandom random(35);
  int good = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = seed;
    for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    const auto read = decode_response(bytes);
    if (!read) continue;
    ++good;
    REQUIRE(read->records.size() <= records_max);
    for (const Record& one : read->records) {
      REQUIRE(is_name(one.name));
      REQUIRE(follow_aliases(*read, one.name, RecordType::srv).records.size() <=
              read->records.size());
    }
  }
  CHECK(good > 1000);
}
