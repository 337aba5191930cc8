#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>

#include "sip/writer.hpp"
#include "unit/sip/messages.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

struct Scanned {
  std::unique_ptr<Message> message = std::make_unique<Message>();
  std::string bytes;
  Fault fault;
  explicit Scanned(std::string text) : bytes(std::move(text)) {
    fault = scan(bytes, Framing::datagram, *message);
  }
};

const SocketAddress source{IpAddress::ipv4(203, 0, 113, 10), 5099};

ResponseHead head_of(int status, std::string_view to_tag, const SocketAddress& from,
                     bool record_route = false) {
  ResponseHead head;
  head.status = status;
  head.to_tag = to_tag;
  head.source = from;
  head.record_route = record_route;
  return head;
}

std::string response_to(const std::string& request, const ResponseHead& head) {
  const Scanned scanned(request);
  std::array<char, 8192> buffer;
  MessageWriter writer(buffer.data(), buffer.size());
  write_response_head(writer, *scanned.message, head);
  writer.finish();
  REQUIRE(writer.ok());
  return std::string(writer.view());
}

std::string top_via_of(const std::string& via, const SocketAddress& from) {
  const std::string text = response_to(
      replaced(invite(), "SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-524287-1;rport", via),
      head_of(100, "", from));
  const std::size_t begin = text.find("Via: ") + 5;
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("MessageWriter: a request comes out line by line and scans again") {
  std::array<char, 1024> buffer;
  MessageWriter writer(buffer.data(), buffer.size());
  writer.request_line("INVITE", "sip:a@b");
  writer.header("Via", {"SIP/2.0/UDP 192.0.2.1:", "5060", ";branch=", "z9hG4bK1"});
  writer.header("Max-Forwards", 70);
  writer.line("From: <sip:c@d>;tag=1");
  writer.header("To", "<sip:a@b>");
  writer.header("Call-ID", "x");
  writer.header("CSeq", {"1 ", "INVITE"});
  writer.finish("application/sdp", "v=0\r\n");
  REQUIRE(writer.ok());
  CHECK(writer.view() ==
        "INVITE sip:a@b SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:c@d>;tag=1\r\n"
        "To: <sip:a@b>\r\n"
        "Call-ID: x\r\n"
        "CSeq: 1 INVITE\r\n"
        "Content-Type: application/sdp\r\n"
        "Content-Length: 5\r\n\r\n"
        "v=0\r\n");
  CHECK(Scanned(std::string(writer.view())).fault.kind == Fault::Kind::none);
  writer.clear();
  writer.status_line(486);
  writer.finish();
  CHECK(writer.view() == "SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("MessageWriter: a value cannot bring a line of its own") {
  std::array<char, 256> buffer;
  const auto is_refused = [&buffer](auto write) {
    MessageWriter writer(buffer.data(), buffer.size());
    write(writer);
    writer.header("After", "x");
    return writer.fault() == MessageWriter::Fault::forbidden &&
           writer.view().find("After") == std::string_view::npos;
  };
  CHECK(is_refused([](MessageWriter& w) { w.header("Subject", "a\r\nEvil: b"); }));
  CHECK(is_refused([](MessageWriter& w) { w.header("Subject", "a\nb"); }));
  CHECK(is_refused([](MessageWriter& w) { w.header("Subject", std::string_view("a\0b", 3)); }));
  CHECK(is_refused([](MessageWriter& w) { w.header("Subject", {"a", "\r"}); }));
  CHECK(is_refused([](MessageWriter& w) { w.header("Sub:ject", "a"); }));
  CHECK(is_refused([](MessageWriter& w) { w.header("", "a"); }));
  CHECK(is_refused([](MessageWriter& w) { w.line("A: b\r\nEvil: c"); }));
  CHECK(is_refused([](MessageWriter& w) { w.line("no colon"); }));
  CHECK(is_refused([](MessageWriter& w) { w.request_line("INVITE", "sip:a b"); }));
  CHECK(is_refused([](MessageWriter& w) { w.request_line("INVITE", ""); }));
  CHECK(is_refused([](MessageWriter& w) { w.request_line("IN\r\n", "sip:a"); }));
  CHECK(is_refused([](MessageWriter& w) { w.status_line(200, "O\nK"); }));
  CHECK(is_refused([](MessageWriter& w) { w.status_line(99); }));
  CHECK(is_refused([](MessageWriter& w) { w.copy("To", "a\r\nEvil: b"); }));
  CHECK(is_refused([](MessageWriter& w) { w.copy("To", "a\r\n"); }));
  CHECK(is_refused([](MessageWriter& w) { w.copy("To", "a\n b"); }));
  CHECK(is_refused([](MessageWriter& w) { w.copy_tagged("To", "<sip:a>", "1\r\n"); }));
  CHECK(is_refused([](MessageWriter& w) { w.finish("a\r\nb", "x"); }));
}

TEST_CASE("MessageWriter: every buffer that is too small gives overflow and no byte outside") {
  const Scanned scanned(invite());
  const auto write = [&scanned](MessageWriter& writer) {
    write_response_head(writer, *scanned.message, head_of(180, "t", source, true));
    writer.finish("application/sdp", scanned.message->body);
  };
  std::array<char, 4096> large;
  MessageWriter whole(large.data(), large.size());
  write(whole);
  REQUIRE(whole.ok());
  const std::size_t size = whole.view().size();
  for (std::size_t capacity = 0; capacity < size; ++capacity) {
    const std::unique_ptr<char[]> buffer(new char[capacity]);  // exact, for the address sanitizer
    MessageWriter writer(buffer.get(), capacity);
    write(writer);
    REQUIRE(writer.fault() == MessageWriter::Fault::overflow);
    REQUIRE(writer.view().size() <= capacity);
  }
  const std::unique_ptr<char[]> buffer(new char[size]);
  MessageWriter exact(buffer.get(), size);
  write(exact);
  CHECK(exact.ok());
  CHECK(exact.view() == whole.view());
}

TEST_CASE(
    "write_response_head: Via, From, To, Call-ID, CSeq and Record-Route come back (RFC 3261 "
    "section 8.2.6.2)") {
  CHECK(response_to(invite(), head_of(180, "mine", source, true)) ==
        "SIP/2.0 180 Ringing\r\n"
        "Via: SIP/2.0/UDP "
        "203.0.113.10:5060;branch=z9hG4bK-524287-1;received=203.0.113.10;rport=5099\r\n"
        "Record-Route: <sip:203.0.113.9;lr>, <sip:203.0.113.8;lr>\r\n"
        "From: \"Alice, \\\"A\\\"\" <sip:12025550123@203.0.113.10>;tag=9fxced76sl\r\n"
        "To: <sip:442079460000@198.51.100.20>;tag=mine\r\n"
        "Call-ID: 3848276298220188511@203.0.113.10\r\n"
        "CSeq: 7 INVITE\r\n"
        "Content-Length: 0\r\n\r\n");
  const std::string trying = response_to(invite(), head_of(100, "mine", source));
  CHECK(trying.find("mine") == std::string::npos);
  CHECK(trying.find("Record-Route") == std::string::npos);
  const std::string in_dialog =
      response_to(replaced(invite(), "198.51.100.20>\r\n", "198.51.100.20>;tag=old\r\n"),
                  head_of(200, "mine", source));
  CHECK(in_dialog.find("tag=old\r\n") != std::string::npos);
  CHECK(in_dialog.find("mine") == std::string::npos);
}

TEST_CASE(
    "write_response_head: the top Via says where the request came from (RFC 3261 18.2.1, RFC "
    "3581)") {
  CHECK(top_via_of("SIP/2.0/UDP 203.0.113.10;branch=z9hG4bK1", source) ==
        "SIP/2.0/UDP 203.0.113.10;branch=z9hG4bK1");
  CHECK(top_via_of("SIP/2.0/UDP host.example;branch=z9hG4bK1", source) ==
        "SIP/2.0/UDP host.example;branch=z9hG4bK1;received=203.0.113.10");
  CHECK(top_via_of(
            "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1, SIP/2.0/TCP next;rport;received=1.1.1.1",
            source) ==
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=203.0.113.10;rport=5099, SIP/2.0/TCP "
        "next;rport;received=1.1.1.1");
  CHECK(top_via_of(
            "SIP/2.0/UDP 203.0.113.10 ; RPORT = 1 ;received=6.6.6.6; branch=z9hG4bK1;x=\";rport\"",
            source) ==
        "SIP/2.0/UDP 203.0.113.10 ; branch=z9hG4bK1;x=\";rport\";received=203.0.113.10;rport=5099");
  CHECK(top_via_of("SIP/2.0/UDP 203.0.113.10;received=6.6.6.6;branch=z9hG4bK1", source) ==
        "SIP/2.0/UDP 203.0.113.10;branch=z9hG4bK1");
  CHECK(top_via_of("SIP/2.0/UDP\r\n [2001:db8::1]\r\n\t;branch=z9hG4bK1", source) ==
        "SIP/2.0/UDP [2001:db8::1] ;branch=z9hG4bK1;received=203.0.113.10");
  const SocketAddress ipv6{*IpAddress::parse("2001:db8::1"), 5060};
  CHECK(top_via_of("SIP/2.0/UDP [2001:DB8:0::1];branch=z9hG4bK1", ipv6) ==
        "SIP/2.0/UDP [2001:DB8:0::1];branch=z9hG4bK1");
  CHECK(top_via_of("SIP/2.0/UDP [2001:db8::2];branch=z9hG4bK1;rport", ipv6) ==
        "SIP/2.0/UDP [2001:db8::2];branch=z9hG4bK1;received=2001:db8::1;rport=5060");
}

TEST_CASE("write_response_head: a refused request gets back what can be read of it") {
  const std::string bad_to =
      response_to(replaced(invite(), "<sip:442079460000@198.51.100.20>\r\n", "\"open <sip:x>\r\n"),
                  head_of(400, "t", source));
  CHECK(bad_to.find("To: \"open <sip:x>;tag=t\r\n") != std::string::npos);
  const std::string bad_via =
      response_to(replaced(invite(), ";rport", ";;,;,,"), head_of(400, "", source));
  CHECK(bad_via.find("branch=z9hG4bK-524287-1;;,;,,\r\n") != std::string::npos);
  // A control character that stood behind a backslash in quotes may go back there (RFC 4475
  // section 3.1.1.2).
  const std::string bell = response_to(replaced(invite(), "Alice, ", std::string("\\\x07\\\0", 4)),
                                       head_of(200, "t", source));
  CHECK(bell.find(std::string("\\\x07\\\0", 4)) != std::string::npos);
  // More Via lines than the scanner takes apart are still all returned.
  std::string many;
  for (int i = 0; i < 60; ++i)
    many += "Via: SIP/2.0/UDP h" + std::to_string(i) + "\r\n";
  const std::string answered = response_to(
      replaced(invite(), "Max-Forwards", many + "Max-Forwards"), head_of(400, "", source));
  CHECK(answered.find("h59\r\n") != std::string::npos);
}
