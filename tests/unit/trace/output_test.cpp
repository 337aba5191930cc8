// What traced calls come out as: HEP packets, capture files, ladders, JSON.
#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>

#include "support/fake_network.hpp"
#include "tandem/trace.hpp"
#include "trace/hep.hpp"

using namespace tandem;
using namespace tandem::trace;

namespace {

TraceEntry message(std::string text, bool is_sent, TraceEntry::Side side) {
  TraceEntry entry;
  entry.at_us = 1'700'000'000'123'456;
  entry.side = side;
  entry.is_sent = is_sent;
  entry.local = SocketAddress::parse("192.0.2.1:5060").value();
  entry.remote = SocketAddress::parse("198.51.100.2:5070").value();
  entry.text = std::move(text);
  return entry;
}

TracedCall two_messages() {
  TracedCall call;
  call.call.id = 7;
  call.call.call_id = "abc";
  call.entries.push_back(message("INVITE sip:44@192.0.2.1 SIP/2.0\r\nCall-ID: abc\r\n\r\n", false,
                                 TraceEntry::Side::customer));
  call.entries.push_back(message("SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\nCall-ID: abc\r\n\r\n",
                                 true, TraceEntry::Side::customer));
  call.entries[1].at_us += 1'500;
  TraceEntry note;
  note.kind = TraceEntry::Kind::note;
  note.at_us = call.entries[1].at_us;
  note.topic = "route";
  note.text = "passes over v1\x1b[31m";
  call.entries.push_back(note);
  return call;
}

std::uint64_t number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes)
    value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

/// Chunks of vendor 0 by type.
std::map<std::uint64_t, std::string> chunks(const std::string& packet) {
  std::map<std::uint64_t, std::string> all;
  REQUIRE(packet.substr(0, 4) == "HEP3");
  REQUIRE(number(packet.substr(4, 2)) == packet.size());
  for (std::size_t at = 6; at < packet.size();) {
    CHECK(number(packet.substr(at, 2)) == 0);
    const std::size_t size = number(packet.substr(at + 4, 2));
    REQUIRE(size >= 6);
    all[number(packet.substr(at + 2, 2))] = packet.substr(at + 6, size - 6);
    at += size;
  }
  return all;
}

}  // namespace

TEST_CASE("HEP: a packet says who sent what to whom and when") {
  HepConfig config;
  config.capture_id = 2001;
  config.password = "word";
  const TracedCall call = two_messages();
  auto found = chunks(hep_packet(call.entries[1], config, "abc"));
  CHECK(number(found[1]) == 2);
  CHECK(number(found[2]) == 17);
  CHECK(found[3] == std::string("\xc0\x00\x02\x01", 4));
  CHECK(found[4] == std::string("\xc6\x33\x64\x02", 4));
  CHECK(number(found[7]) == 5060);
  CHECK(number(found[8]) == 5070);
  CHECK(number(found[9]) == 1'700'000'000);
  CHECK(number(found[10]) == 124'956);
  CHECK(number(found[11]) == 1);
  CHECK(number(found[12]) == 2001);
  CHECK(found[14] == "word");
  CHECK(found[15] == call.entries[1].text);
  CHECK(found[17] == "abc");

  TraceEntry received = call.entries[0];
  received.local = SocketAddress::parse("[2001:db8::1]:5061").value();
  received.remote = SocketAddress::parse("[2001:db8::2]:4000").value();
  received.transport = SipTransport::tls;
  received.text = std::string(65'535, 'x');
  const std::string packet = hep_packet(received, {}, "");
  CHECK(packet.size() == 65'507);
  found = chunks(packet);
  CHECK(number(found[1]) == 10);
  CHECK(number(found[2]) == 6);
  CHECK(found[5].size() == 16);
  CHECK(number(found[7]) == 4000);
  CHECK(found.count(14) + found.count(17) + found.count(3) == 0);
}

TEST_CASE("HEP: what is over the queue of a turn is dropped and counted") {
  test::FakeNetwork network;
  test::FakeLoop& loop = network.create_loop();
  HepConfig config;
  config.server = test::at("10.0.9.1:9060");
  config.queue_packets = 3;
  HepCounters counters;
  auto sender = HepSender::open(config, loop, test::at("10.0.0.1:0"), counters);
  REQUIRE(sender.ok());
  const TracedCall call = two_messages();
  for (int i = 0; i < 5; ++i)
    (*sender)->send(call.entries[0], "abc");
  network.run_for(1'000);
  CHECK(network.sent.size() == 3);
  CHECK(counters.sent.load() == 3);
  CHECK(counters.dropped.load() == 2);
  (*sender)->send(call.entries[0], "abc");
  network.run_for(1'000);
  REQUIRE(network.sent.size() == 4);
  CHECK(network.sent[3].to == *config.server);
  CHECK(chunks(network.sent[3].bytes)[17] == "abc");
}

TEST_CASE("Capture file: raw IPv4 with headers that add up") {
  const TracedCall call = two_messages();
  const std::string file = to_pcap(call);
  const auto& text = call.entries[0].text;
  REQUIRE(file.size() > 24 + 16 + 28 + text.size());
  const std::string packet = file.substr(40, 28 + text.size());
  CHECK(number(packet.substr(2, 2)) == packet.size());
  CHECK(packet.substr(12, 8) == std::string("\xc6\x33\x64\x02\xc0\x00\x02\x01", 8));
  CHECK(number(packet.substr(20, 2)) == 5070);
  CHECK(number(packet.substr(22, 2)) == 5060);
  CHECK(packet.substr(28) == text);
  std::uint64_t sum = 0;  // of RFC 1071 over the IP header: all ones
  for (std::size_t i = 0; i < 20; i += 2)
    sum += number(packet.substr(i, 2));
  CHECK((sum & 0xffff) + (sum >> 16) == 0xffff);
  // Notes are no packets.
  CHECK(file.size() == 24 + 2 * (16 + 28) + text.size() + call.entries[1].text.size());
}

TEST_CASE("Ladder: arrows point the way the message went, and nothing reaches the terminal") {
  const std::string ladder = to_ladder(two_messages());
  CHECK(ladder.find("INVITE sip:44@192.0.2.1 ") != std::string::npos);
  CHECK(ladder.find("--> |") != std::string::npos);
  CHECK(ladder.find("| <--") != std::string::npos);
  CHECK(ladder.find("486 Busy Here (INVITE)") != std::string::npos);
  CHECK(ladder.find("0.001") != std::string::npos);
  CHECK(ladder.find("route: passes over v1?[31m") != std::string::npos);
  CHECK(ladder.find('\x1b') == std::string::npos);
  CHECK(ladder.find("CSeq: 1 INVITE") == std::string::npos);
  CHECK(to_ladder(two_messages(), true).find("\nCSeq: 1 INVITE\n") != std::string::npos);
}

TEST_CASE("Formats: four names, and JSON of any bytes") {
  TracedCall call = two_messages();
  call.entries[0].text += "\xff\xfe";
  CHECK(format_traced_call(call, "json").value().find("\"first_line\":\"INVITE sip:44@") !=
        std::string::npos);
  CHECK(format_traced_call(call, "pcap").value() == to_pcap(call));
  CHECK(format_traced_call(call, "messages").value() == to_ladder(call, true));
  CHECK(!format_traced_call(call, "xml").ok());
}

TEST_CASE("Request: keys are read, others refused by their place") {
  const auto read = read_trace_request(
      R"({"caller":"44","source":null,"duration_s":60,"calls":5,"bytes":100000,"hep":true})");
  REQUIRE(read.ok());
  CHECK(read->filter.caller == "44");
  CHECK(read->duration_s == 60);
  CHECK(read->calls_max == 5);
  CHECK(read->bytes_max == 100'000);
  CHECK(read->hep);
  CHECK(read_trace_request("{}")->duration_s == 600);
  for (const auto& [text, place] :
       std::map<std::string, std::string>{{R"({"calle":"44"})", "/calle: "},
                                          {R"({"caller":44})", "/caller: "},
                                          {R"({"calls":-1})", "/calls: "},
                                          {R"({"calls":1.5})", "/calls: "},
                                          {R"({"bytes":9999999999})", "/bytes: "},
                                          {R"({"hep":1})", "/hep: "},
                                          {"[]", "a trace was"},
                                          {"{", "a trace was"}}) {
    CAPTURE(text);
    const auto refused = read_trace_request(text);
    REQUIRE(!refused.ok());
    CHECK(refused.error().message.starts_with(place));
  }
}
