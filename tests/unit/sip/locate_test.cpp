// From a name to places, by what is known of names (RFC 3263 section 4).
#include "sip/locate.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace tandem;
using namespace tandem::sip;
using io::DnsEntry;
using io::dns::NamingAuthority;
using io::dns::RecordType;
using io::dns::Service;

namespace {

/// What name servers would say; the rest is known not to be there.
struct Records {
  std::map<std::pair<std::string, RecordType>, DnsEntry> known;
  std::vector<std::string> asked;
  DnsEntry absent;

  Records() {
    absent.state = DnsEntry::State::absent;
    absent.expires_us = absent.due_us = 30'000'000;
  }
  DnsEntry& at(const std::string& name, RecordType type) {
    DnsEntry& entry = known[{name, type}];
    entry.state = DnsEntry::State::found;
    entry.expires_us = 60'000'000;
    entry.due_us = 48'000'000;
    return entry;
  }
  void a(const std::string& name, const std::string& ip) {
    at(name, RecordType::a).data.emplace_back(IpAddress::parse(ip).value());
  }
  void srv(const std::string& name, Service service) {
    at(name, RecordType::srv).data.emplace_back(std::move(service));
  }
  void naptr(const std::string& name, std::uint16_t order, std::uint16_t preference,
             const std::string& services, const std::string& replacement) {
    at(name, RecordType::naptr)
        .data.emplace_back(NamingAuthority{order, preference, "s", services, "", replacement});
  }
  Located locate(const Location& what, std::int64_t now_us = 0) {
    return sip::locate(
        what,
        [this](std::string_view name, RecordType type) -> const DnsEntry& {
          asked.push_back(std::string(name) + ' ' + std::to_string(static_cast<int>(type)));
          const auto found = known.find({std::string(name), type});
          return found == known.end() ? absent : found->second;
        },
        now_us);
  }
};

std::string text(const Located& located) {
  std::string out;
  for (const LocatedPlace& place : located.places) {
    out += std::to_string(place.rank) + ' ' + std::string(transport_name(place.transport)) + ':' +
           place.address.to_string() + ' ';
  }
  return out;
}

Location location(std::optional<SipTransport> transport, std::uint16_t port = 0) {
  Location what;
  what.name = "x.net";
  what.transport = transport;
  what.port = port;
  return what;
}

}  // namespace

TEST_CASE("locate: a port leaves only addresses, a transport only its SRV records") {
  Records records;
  records.a("x.net", "10.0.0.9");
  records.srv("_sip._tcp.x.net", {10, 0, 5070, "a.x.net"});
  records.a("a.x.net", "10.0.0.1");
  CHECK(text(records.locate(location(SipTransport::udp, 5080))) == "0 udp:10.0.0.9:5080 ");
  CHECK(records.asked == std::vector<std::string>{"x.net 1"});
  CHECK(text(records.locate(location(SipTransport::udp))) == "0 udp:10.0.0.9:5060 ");
  CHECK(text(records.locate(location(SipTransport::tls))) == "0 tls:10.0.0.9:5061 ");
  CHECK(text(records.locate(location(SipTransport::tcp))) == "0 tcp:10.0.0.1:5070 ");
}

TEST_CASE("locate: NAPTR of the least order chooses, what is not spoken is passed over") {
  Records records;
  records.naptr("x.net", 1, 0, "SIPS+D2T", "_sips._tcp.x.net");
  records.naptr("x.net", 2, 2, "SIP+D2U", "_sip._udp.x.net");
  records.naptr("x.net", 2, 1, "sip+d2t", "_sip._tcp.x.net");
  records.naptr("x.net", 3, 0, "SIP+D2U", "_late._udp.x.net");
  records.srv("_sips._tcp.x.net", {0, 0, 5061, "s.x.net"});
  records.srv("_sip._udp.x.net", {0, 0, 5060, "u.x.net"});
  records.srv("_sip._tcp.x.net", {0, 0, 5060, "t.x.net"});
  records.srv("_late._udp.x.net", {0, 0, 5060, "u.x.net"});
  for (const char* host : {"s", "u", "t"})
    records.a(std::string(host) + ".x.net", "10.0.0." + std::to_string(host[0]));
  Location what = location(std::nullopt);
  CHECK(text(records.locate(what)) == "0 tcp:10.0.0.116:5060 1 udp:10.0.0.117:5060 ");
  what.speaks_tcp = false;
  CHECK(text(records.locate(what)) == "0 udp:10.0.0.117:5060 ");
  what.speaks_tls = true;
  CHECK(text(records.locate(what)) == "0 tls:10.0.0.115:5061 ");
}

TEST_CASE("locate: of NAPTR the first order that is of use counts whole, also behind others") {
  Records records;
  records.naptr("x.net", 1, 0, "SIP+D2T", "_gone._tcp.x.net");
  records.naptr("x.net", 2, 1, "SIP+D2T", "_sip._tcp.x.net");
  records.naptr("x.net", 2, 2, "SIP+D2U", "_sip._udp.x.net");
  records.naptr("x.net", 3, 0, "SIP+D2U", "_late._udp.x.net");
  records.srv("_sip._tcp.x.net", {0, 0, 5060, "t.x.net"});
  records.srv("_sip._udp.x.net", {0, 0, 5060, "u.x.net"});
  records.srv("_late._udp.x.net", {0, 0, 5060, "l.x.net"});
  for (const char* host : {"t", "u", "l"})
    records.a(std::string(host) + ".x.net", "10.0.0." + std::to_string(host[0]));
  CHECK(text(records.locate(location(std::nullopt))) ==
        "0 tcp:10.0.0.116:5060 1 udp:10.0.0.117:5060 ");
}

TEST_CASE("locate: without NAPTR the SRV records there are say the transport, else UDP") {
  Records records;
  records.a("x.net", "10.0.0.9");
  CHECK(text(records.locate(location(std::nullopt))) == "0 udp:10.0.0.9:5060 ");
  records.srv("_sip._tcp.x.net", {0, 0, 5060, "t.x.net"});
  records.a("t.x.net", "10.0.0.1");
  CHECK(text(records.locate(location(std::nullopt))) == "0 tcp:10.0.0.1:5060 ");
}

TEST_CASE("locate: what could not be looked up is not taken for nothing") {
  Records records;
  records.a("x.net", "10.0.0.9");
  DnsEntry& failed = records.at("_sip._udp.x.net", RecordType::srv);
  failed.state = DnsEntry::State::failed;
  failed.error = "10.0.9.53:53 did not answer";
  const Located located = records.locate(location(SipTransport::udp));
  CHECK(located.is_complete);
  CHECK(located.places.empty());
  CHECK(located.error == "look-up of _sip._udp.x.net: 10.0.9.53:53 did not answer");
  failed.state = DnsEntry::State::pending;
  CHECK_FALSE(records.locate(location(SipTransport::udp)).is_complete);
  // But one of several targets may be missing.
  records.known.clear();
  records.srv("_sip._udp.x.net", {0, 0, 5060, "gone.x.net"});
  records.srv("_sip._udp.x.net", {1, 0, 5060, "here.x.net"});
  records.a("here.x.net", "10.0.0.1");
  records.at("gone.x.net", RecordType::a).state = DnsEntry::State::failed;
  CHECK(text(records.locate(location(SipTransport::udp))) == "1 udp:10.0.0.1:5060 ");
}

TEST_CASE("locate: target \".\" means no service, and times are the least of what was used") {
  Records records;
  records.a("x.net", "10.0.0.9");
  records.srv("_sip._udp.x.net", {0, 0, 0, ""});
  CHECK(records.locate(location(SipTransport::udp)).places.empty());
  records.known.clear();
  records.a("x.net", "10.0.0.9");
  records.at("x.net", RecordType::a).asked_us = 7;
  const Located located = records.locate(location(SipTransport::udp));
  CHECK(located.expires_us == 30'000'000);  // that there is no SRV record
  CHECK(located.due_us == 30'000'000);
  CHECK(located.asked_us == 0);
  CHECK_FALSE(located.is_stale);
  CHECK(records.locate(location(SipTransport::udp), 30'000'000).is_stale);
}

TEST_CASE("locate: order of an answer says nothing, and at most 16 places are kept") {
  Records records, turned;
  for (int i = 1; i <= 20; ++i) {
    records.a("x.net", "10.0.0." + std::to_string(i));
    turned.a("x.net", "10.0.0." + std::to_string(21 - i));
  }
  const Located located = records.locate(location(SipTransport::udp));
  CHECK(located.places.size() == located_max);
  CHECK(located.places == turned.locate(location(SipTransport::udp)).places);
}

TEST_CASE("locate: calls come from every address of the name and of its services, any port") {
  Records records;
  records.a("x.net", "10.0.0.9");
  records.srv("_sip._udp.x.net", {0, 0, 5060, "u.x.net"});
  records.srv("_sips._tcp.x.net", {0, 0, 5061, "s.x.net"});
  records.a("u.x.net", "10.0.0.1");
  records.a("s.x.net", "10.0.0.1");
  Location what = location(SipTransport::udp);
  what.is_source = true;
  const Located located = records.locate(what);
  REQUIRE(located.places.size() == 2);
  CHECK(located.places[0].address == SocketAddress{IpAddress::ipv4(10, 0, 0, 9), 0});
  CHECK(located.places[1].address == SocketAddress{IpAddress::ipv4(10, 0, 0, 1), 0});
}
