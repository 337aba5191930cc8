// The cost of looking at a message: every datagram pays it, wanted or not.
#include <memory>
#include <string>

#include "bench.hpp"
#include "sip/message.hpp"
#include "sip/writer.hpp"

namespace tandem::bench {
namespace {

// 1.1 KB, 19 headers, an offer: what one carrier sends another.
std::string typical_invite() {
  const std::string sdp =
      "v=0\r\no=carrier 20518 20518 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 "
      "0\r\n"
      "m=audio 54400 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
      "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
      "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
  return "INVITE sip:442079460000@198.51.100.20:5060;user=phone SIP/2.0\r\n"
         "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-524287-1---d8754z;rport\r\n"
         "Via: SIP/2.0/UDP 203.0.113.11:5060;branch=z9hG4bK776asdhds;received=203.0.113.11\r\n"
         "Max-Forwards: 69\r\n"
         "Record-Route: <sip:203.0.113.10;lr>\r\n"
         "From: \"Alice\" <sip:12025550123@203.0.113.10>;tag=9fxced76sl\r\n"
         "To: <sip:442079460000@198.51.100.20>\r\n"
         "Call-ID: 3848276298220188511@203.0.113.10\r\n"
         "CSeq: 1 INVITE\r\n"
         "Contact: <sip:12025550123@203.0.113.10:5060;transport=udp>\r\n"
         "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS\r\n"
         "Supported: 100rel, timer, replaces\r\n"
         "Session-Expires: 1800;refresher=uac\r\n"
         "Min-SE: 90\r\n"
         "P-Asserted-Identity: <sip:12025550123@203.0.113.10>\r\n"
         "Privacy: none\r\n"
         "User-Agent: Carrier SBC 7.4.2\r\n"
         "Date: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
         "Content-Type: application/sdp\r\n"
         "Content-Length: " +
         std::to_string(sdp.size()) + "\r\n\r\n" + sdp;
}

template <class Work>
double ns_each(Work work) {
  return best_ns_per_operation(10000, [&work](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i)
      work();
  });
}

}  // namespace

TANDEM_BENCH("sip.scan_invite", "ns_cpu") {
  const auto message = std::make_unique<sip::Message>();
  const std::string bytes = typical_invite();
  const double ns = ns_each([&] {
    (void)sip::scan(bytes, sip::Framing::datagram, *message);  // good, as its header count shows
    keep(*message);
  });
  return Figure{ns, "{\"bytes\":" + std::to_string(bytes.size()) +
                        ",\"headers\":" + std::to_string(message->header_count) + "}"};
}

TANDEM_BENCH("sip.scan_owner", "ns_cpu") {
  const std::string bytes = typical_invite();
  sip::OwnerKey key;
  const double ns = ns_each([&] {
    (void)sip::scan_owner(bytes, key);  // likewise
    keep(key);
  });
  return Figure{ns, "{\"bytes\":" + std::to_string(bytes.size()) + "}"};
}

TANDEM_BENCH("sip.write_response", "ns_cpu") {
  const auto message = std::make_unique<sip::Message>();
  const std::string bytes = typical_invite();
  (void)sip::scan(bytes, sip::Framing::datagram, *message);  // known to be good
  sip::ResponseHead head;
  head.status = 180;
  head.to_tag = "0123456789abcdef";
  head.source = {IpAddress::ipv4(203, 0, 113, 10), 5060};
  char buffer[4096];
  std::size_t size = 0;
  const double ns = ns_each([&] {
    sip::MessageWriter writer(buffer, sizeof buffer);
    sip::write_response_head(writer, *message, head);
    writer.finish();
    size = writer.view().size();
  });
  return Figure{ns, "{\"bytes\":" + std::to_string(size) + "}"};
}

}  // namespace tandem::bench
