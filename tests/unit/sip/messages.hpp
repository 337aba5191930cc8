// Good messages that the tests of the codec start from.
#pragma once

#include <string>
#include <string_view>

namespace tandem::sip::test {

inline std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), by);
  return text;
}

inline std::string sdp_offer() {
  return "v=0\r\n"
         "o=carrier 20518 20519 IN IP4 203.0.113.10\r\n"
         "s=-\r\n"
         "c=IN IP4 203.0.113.10\r\n"
         "t=0 0\r\n"
         "m=audio 54400 RTP/AVP 0 8 18 101\r\n"
         "a=rtpmap:0 PCMU/8000\r\n"
         "a=rtpmap:18 G729/8000\r\n"
         "a=fmtp:18 annexb=no\r\n"
         "a=rtpmap:101 telephone-event/8000\r\n"
         "a=fmtp:101 0-15\r\n"
         "a=ptime:20\r\n"
         "a=sendrecv\r\n";
}

inline std::string invite() {
  const std::string body = sdp_offer();
  return "INVITE sip:442079460000@198.51.100.20:5060;user=phone SIP/2.0\r\n"
         "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-524287-1;rport\r\n"
         "Max-Forwards: 69\r\n"
         "Record-Route: <sip:203.0.113.9;lr>, <sip:203.0.113.8;lr>\r\n"
         "From: \"Alice, \\\"A\\\"\" <sip:12025550123@203.0.113.10>;tag=9fxced76sl\r\n"
         "To: <sip:442079460000@198.51.100.20>\r\n"
         "Call-ID: 3848276298220188511@203.0.113.10\r\n"
         "CSeq: 7 INVITE\r\n"
         "Contact: <sip:12025550123@203.0.113.10:5062;transport=udp>;expires=60\r\n"
         "Content-Type: application/sdp\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string ok_response() {
  return "SIP/2.0 200 OK\r\n"
         "Via: SIP/2.0/UDP 198.51.100.20;branch=z9hG4bKours;received=198.51.100.21;rport=5070\r\n"
         "From: <sip:12025550123@203.0.113.10>;tag=a\r\n"
         "To: <sip:442079460000@198.51.100.20>;tag=b\r\n"
         "Call-ID: c1\r\n"
         "CSeq: 7 INVITE\r\n"
         "Contact: <sip:gw@192.0.2.7>\r\n"
         "Content-Length: 0\r\n\r\n";
}

}  // namespace tandem::sip::test
