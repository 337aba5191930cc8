#include "tandem/values.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

std::string amount(const char* text) {
  const auto parsed = Amount::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

std::string ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

std::string network(std::string_view text) {
  const auto parsed = IpNetwork::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

std::string socket_address(std::string_view text, std::uint16_t default_port = 0) {
  const auto parsed = SocketAddress::parse(text, default_port);
  return parsed ? parsed->to_string() : "refused";
}

}  // namespace

TEST_CASE("ErrorCode: every code has a name of its own") {
  std::set<std::string> names;
  for (int code = -1; code >= -12; --code)
    names.insert(error_code_name(static_cast<ErrorCode>(code)));
  CHECK(names.size() == 12);
  CHECK(names.count("unknown") == 0);
  CHECK(std::string(error_code_name(static_cast<ErrorCode>(-999))) == "unknown");
}

TEST_CASE("Amount: prints two decimals at least and no further trailing zeros (B-01)") {
  CHECK(amount("0.6") == "0.60");
  CHECK(amount("0.0165") == "0.0165");
  CHECK(amount("-3") == "-3.00");
  CHECK(amount("+5") == "5.00");
  CHECK(amount("5.") == "5.00");
  CHECK(amount(".5") == "0.50");
  CHECK(amount("-.00000001") == "-0.00000001");
  CHECK(amount("1.10000000") == "1.10");
  CHECK(amount("-0") == "0.00");
  CHECK(amount("000001.5") == "1.50");
  CHECK(Amount().to_string() == "0.00");
  CHECK(Amount::parse("1")->units() == 100'000'000);
}

TEST_CASE("Amount: takes the whole range of 64 bits and nothing beyond it (B-01)") {
  CHECK(amount("92233720368.54775807") == "92233720368.54775807");
  CHECK(amount("92233720368.54775808") == "refused");
  CHECK(amount("-92233720368.54775808") == "-92233720368.54775808");
  CHECK(amount("-92233720368.54775809") == "refused");
  CHECK(amount("99999999999999999999999999") == "refused");
  CHECK(amount("92233720369") == "refused");
  CHECK(Amount::from_units(std::numeric_limits<std::int64_t>::min()).to_string() ==
        "-92233720368.54775808");
}

TEST_CASE("Amount: refuses what is not a plain decimal (B-01)") {
  for (const char* text : {"", ".", "-", "+", "-.", "1.123456789", "1,5", "1e5", " 1", "1 ", "0x10",
                           "1.2.3", "--1", "nan", "inf", "\xd9\xa1", "1.-5"}) {
    CAPTURE(text);
    CHECK(amount(text) == "refused");
  }
  CHECK(Amount::parse(std::string_view("1\0", 2)).ok() == false);
  CHECK(Amount::parse("1.5x").error().code == ErrorCode::invalid_argument);
  CHECK(Amount::parse("1.5x").error().message == "amount \"1.5x\" was not a decimal number");
  CHECK(Amount::parse(std::string(5000, 'x')).error().message.size() < 150);
}

TEST_CASE("Amount: sums and differences tell when they leave the range (B-01)") {
  const Amount most = Amount::from_units(std::numeric_limits<std::int64_t>::max());
  const Amount least = Amount::from_units(std::numeric_limits<std::int64_t>::min());
  const Amount unit = Amount::from_units(1);
  CHECK_FALSE(Amount::add(most, unit));
  CHECK_FALSE(Amount::subtract(least, unit));
  CHECK(Amount::add(most, least)->units() == -1);
  CHECK_FALSE(Amount::subtract(Amount(), least));
  CHECK(Amount::subtract(*Amount::parse("0.30"), *Amount::parse("0.10"))->to_string() == "0.20");
  CHECK(*Amount::parse("-0.01") < Amount());
}

TEST_CASE("Amount: what it prints it reads again as the same units (B-01)") {
  SeededRandom random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto units =
        static_cast<std::int64_t>(random.next() >> random.below(64)) * (random.next() & 1 ? 1 : -1);
    const auto again = Amount::parse(Amount::from_units(units).to_string());
    REQUIRE(again);
    REQUIRE(again->units() == units);
  }
}

TEST_CASE("IpAddress: reads IPv4 strictly") {
  CHECK(ip("192.0.2.1") == "192.0.2.1");
  CHECK(ip("0.0.0.0") == "0.0.0.0");
  CHECK(ip("255.255.255.255") == "255.255.255.255");
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.04",
                           "1..2.3", "1.2.3.", ".1.2.3", "1.2.3.4 ", " 1.2.3.4", "1.2.3.a",
                           "1.2.3.-4", "1.2.3.0x4", "[1.2.3.4]", "a.b.c.d", "1.2.3.4444"}) {
    CAPTURE(text);
    CHECK(ip(text) == "refused");
  }
}

TEST_CASE("IpAddress: reads every form of RFC 4291 and writes that of RFC 5952") {
  CHECK(ip("2001:db8::1") == "2001:db8::1");
  CHECK(ip("[2001:DB8::1]") == "2001:db8::1");
  CHECK(ip("2001:0db8:0000:0000:0000:0000:0000:0001") == "2001:db8::1");
  CHECK(ip("::") == "::");
  CHECK(ip("::1") == "::1");
  CHECK(ip("1::") == "1::");
  CHECK(ip("1:2:3:4:5:6:7:8") == "1:2:3:4:5:6:7:8");
  CHECK(ip("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
  CHECK(ip("::2:3:4:5:6:7:8") == "0:2:3:4:5:6:7:8");
  CHECK(ip("1:0:0:4:0:0:0:8") == "1:0:0:4::8");
  CHECK(ip("1:0:0:4:5:0:0:8") == "1::4:5:0:0:8");
  CHECK(ip("64:ff9b::192.0.2.33") == "64:ff9b::c000:221");
  CHECK(ip("1:2:3:4:5:6:192.0.2.1") == "1:2:3:4:5:6:c000:201");
  for (const char* text : {":",
                           ":::",
                           "1",
                           "1:2",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "::1:",
                           ":1::2",
                           "12345::",
                           "g::",
                           "1:2:3:4:5:6:7:192.0.2.1",
                           "::192.0.2",
                           "::192.0.2.1:1",
                           "[::1",
                           "::1]",
                           "fe80::1%eth0",
                           "[]",
                           "1::2:3:4:5:6:7:8",
                           "::1 ",
                           "1:2:3:4:5:6:7:8::",
                           "1:::2"}) {
    CAPTURE(text);
    CHECK(ip(text) == "refused");
  }
}

TEST_CASE("IpAddress: takes the IPv6 forms of RFC 5118") {
  // Section 4.5: the port is outside of the brackets; without them it reads as part of the address.
  CHECK(socket_address("[2001:db8::10]:5070", 5060) == "[2001:db8::10]:5070");
  CHECK(socket_address("2001:db8::10:5070", 5060) == "[2001:db8::10:5070]:5060");
  // Sections 4.8 and 4.9: a dotted quad at the end, mapped to IPv4.
  CHECK(ip("::ffff:192.0.2.2") == "192.0.2.2");
  CHECK(ip("[::ffff:192.0.2.10]") == "192.0.2.10");
  CHECK(IpAddress::parse("::FFFF:192.0.2.2")->is_ipv4());
  CHECK(IpAddress::parse("::ffff:c000:202").value() == IpAddress::ipv4(192, 0, 2, 2));
  // Section 4.10: the extra colon that the grammar of RFC 3261 produced.
  CHECK(ip("2001:db8:::192.0.2.1") == "2001:db8::c000:201");
  CHECK(ip("[2001:db8:::192.0.2.1]") == "2001:db8::c000:201");
  CHECK(ip("2001:db8:::1") == "refused");
}

TEST_CASE("IpAddress: what it prints it reads again") {
  SeededRandom random(11);
  for (int i = 0; i < 20'000; ++i) {
    IpAddress address;
    address.family = IpAddress::Family::ipv6;
    for (auto& byte : address.bytes)
      byte = static_cast<std::uint8_t>(random.below(3) ? 0 : random.next());
    address.bytes[0] = 0x20;  // not a mapped address
    REQUIRE(IpAddress::parse(address.to_string()).value() == address);
  }
}

TEST_CASE("IpAddress: knows unspecified, loopback and private addresses") {
  const auto of = [](const char* text) { return IpAddress::parse(text).value(); };
  CHECK(IpAddress().is_unspecified());
  CHECK(of("0.0.0.0").is_unspecified());
  CHECK(of("::").is_unspecified());
  CHECK_FALSE(of("::1").is_unspecified());
  CHECK(of("127.200.1.1").is_loopback());
  CHECK(of("::1").is_loopback());
  CHECK_FALSE(of("1::1").is_loopback());
  CHECK_FALSE(of("128.0.0.1").is_loopback());
  for (const char* text :
       {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.9.9", "100.64.0.1", "100.127.255.255",
        "169.254.1.1", "fc00::1", "fdff::1", "fe80::1", "febf::1"}) {
    CAPTURE(text);
    CHECK(of(text).is_private());
  }
  for (const char* text :
       {"9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.167.0.1", "100.63.0.1",
        "100.128.0.1", "169.253.0.1", "fec0::1", "2001:db8::1", "8.8.8.8"}) {
    CAPTURE(text);
    CHECK_FALSE(of(text).is_private());
  }
}

TEST_CASE("IpNetwork: a block holds exactly the addresses that share its first bits") {
  CHECK(network("192.0.2.0/24") == "192.0.2.0/24");
  CHECK(network("192.0.2.77/24") == "192.0.2.0/24");
  CHECK(network("192.0.2.1") == "192.0.2.1");
  CHECK(network("192.0.2.1/32") == "192.0.2.1");
  CHECK(network("0.0.0.0/0") == "0.0.0.0/0");
  CHECK(network("2001:db8::/32") == "2001:db8::/32");
  CHECK(network("[2001:db8::1]/128") == "2001:db8::1");
  CHECK(network("::ffff:192.0.2.0/120") == "192.0.2.0/24");
  for (const char* text :
       {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/024", "/24", "x/24",
        "2001:db8::/129", "::ffff:192.0.2.0/64", "192.0.2.0/24/24", "192.0.2.0/2a"}) {
    CAPTURE(text);
    CHECK(network(text) == "refused");
  }
  const IpNetwork block = IpNetwork::parse("192.0.2.64/27").value();
  CHECK_FALSE(block.contains(IpAddress::ipv4(192, 0, 2, 63)));
  CHECK(block.contains(IpAddress::ipv4(192, 0, 2, 64)));
  CHECK(block.contains(IpAddress::ipv4(192, 0, 2, 95)));
  CHECK_FALSE(block.contains(IpAddress::ipv4(192, 0, 2, 96)));
  CHECK_FALSE(block.contains(IpAddress::parse("2001:db8::1").value()));
  CHECK(IpNetwork::parse("::/0").value().contains(IpAddress::parse("ffff::").value()));
  CHECK_FALSE(IpNetwork::parse("::/0").value().contains(IpAddress::ipv4(1, 2, 3, 4)));
  CHECK_FALSE(IpNetwork().contains(IpAddress()));
  CHECK(
      IpNetwork::parse("2001:db8::/127").value().contains(IpAddress::parse("2001:db8::1").value()));
  CHECK_FALSE(
      IpNetwork::parse("2001:db8::/127").value().contains(IpAddress::parse("2001:db8::2").value()));
}

TEST_CASE("SocketAddress: reads an address with or without a port") {
  CHECK(socket_address("192.0.2.1:5060") == "192.0.2.1:5060");
  CHECK(socket_address("192.0.2.1", 5060) == "192.0.2.1:5060");
  CHECK(socket_address("192.0.2.1:0", 5060) == "192.0.2.1:0");
  CHECK(socket_address("192.0.2.1:65535") == "192.0.2.1:65535");
  CHECK(socket_address("[::1]:5060") == "[::1]:5060");
  CHECK(socket_address("[::1]", 5061) == "[::1]:5061");
  CHECK(socket_address("::1", 5061) == "[::1]:5061");
  CHECK(socket_address("[::ffff:192.0.2.1]:5060") == "192.0.2.1:5060");
  for (const char* text : {"", ":", ":5060", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "192.0.2.1:5o60", "192.0.2.1:05060", "192.0.2.1: 5060", "[::1]5060",
                           "[::1]:", "[::1", "[192.0.2.1]:5060", "host:5060", "192.0.2.1:5060:1"}) {
    CAPTURE(text);
    CHECK(socket_address(text) == "refused");
  }
  CHECK(std::hash<SocketAddress>()(SocketAddress::parse("192.0.2.1:1").value()) !=
        std::hash<SocketAddress>()(SocketAddress::parse("192.0.2.1:2").value()));
}

TEST_CASE("Reason: the table says name, status and cause of every reason (C-08)") {
  struct Row {
    int code;
    const char* name;
    int sip;
    int q850;
  };
  const Row rows[] = {
      {16, "NormalCallClearing", 0, 16},
      {-1, "NoAvailableRouter", 503, 3},
      {-2, "AllGatewayBusy", 503, 34},
      {-3, "GatewayTimeout", 408, 102},
      {-4, "InviteTimeout", 408, 102},
      {-5, "ConnectionTimeout", 408, 41},
      {-6, "NoAnswer", 480, 19},
      {-7, "AccountBalanceNotEnough", 402, 21},
      {-8, "AccountLocked", 403, 21},
      {-9, "AccountExpired", 403, 21},
      {-10, "AccountNotExist", 403, 21},
      {-11, "RateNotFound", 403, 21},
      {-12, "RateLocked", 403, 21},
      {-13, "NoCallPermission", 403, 50},
      {-14, "LineLimitExceeded", 503, 42},
      {-15, "RateLimited", 503, 42},
      {-16, "CalleeNotOnline", 480, 20},
      {-17, "Unregistered", 480, 20},
      {-18, "CalleeBusy", 486, 17},
      {-19, "NumberRestricted", 403, 21},
      {-20, "NumberBlacklisted", 403, 21},
      {-21, "DynamicBlacklist", 603, 21},
      {-22, "GeofenceForbidden", 403, 21},
      {-23, "IllegalCall", 403, 21},
      {-24, "AuthenticationFailed", 403, 21},
      {-25, "CodecMismatch", 488, 65},
      {-26, "ProtocolLimit", 488, 88},
      {-27, "NoMedia", 0, 31},
      {-28, "RtpInterrupted", 0, 31},
      {-29, "SessionTimeout", 0, 102},
      {-30, "MaxDuration", 0, 31},
      {-31, "BalanceExhausted", 0, 21},
      {-32, "AdminDisconnect", 0, 16},
      {-33, "LrnFailed", 404, 3},
      {-34, "RedirectFailed", 503, 41},
      {-35, "TooManyForwards", 482, 25},
      {-36, "DoNotDisturb", 486, 17},
      {-37, "CallerPoolExhausted", 503, 34},
      {-38, "ServerShutdown", 503, 41},
      {-39, "CallerCancel", 487, 16},
      {-40, "ProfitGuard", 503, 34},
      {-41, "NotFound", 404, 1},
      {-42, "TransferFailed", 0, 31},
      {-43, "LicenseLimit", 503, 34},
      {-44, "InternalError", 500, 41},
      {-45, "CalleeDeclined", 603, 21},
      {-46, "VendorFailure", 503, 41},
      {-47, "ServerCrash", 0, 41},
      {-48, "GatewayLocked", 403, 21},
      {-49, "AccountLimitReached", 403, 21},
      {-52, "CertificateRefused", 503, 41},
      {0, "none", 0, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const ReasonFacts& facts = reason_facts(static_cast<Reason>(row.code));
    CHECK(std::string(facts.name) == row.name);
    CHECK(facts.sip_status == row.sip);
    CHECK(facts.q850_cause == row.q850);
    CHECK(reason_from_name(row.name) == static_cast<Reason>(row.code));
  }
  CHECK(reason_facts(static_cast<Reason>(-999)).reason == Reason::InternalError);
  CHECK_FALSE(reason_from_name("noanswer"));
  CHECK_FALSE(reason_from_name(""));
}

TEST_CASE("Reason: a vendor's final response names the reason (C-08)") {
  CHECK(reason_for_response(486) == Reason::CalleeBusy);
  CHECK(reason_for_response(600) == Reason::CalleeBusy);
  for (int status : {404, 410, 484, 604})
    CHECK(reason_for_response(status) == Reason::NotFound);
  CHECK(reason_for_response(480) == Reason::NoAnswer);
  CHECK(reason_for_response(603) == Reason::CalleeDeclined);
  for (int status : {302, 400, 403, 408, 487, 488, 500, 503, 504, 606, 699, 0}) {
    CHECK(reason_for_response(status) == Reason::VendorFailure);
  }
}

TEST_CASE("Q.850: causes and statuses map as in C-09") {
  const int to_cause[][2] = {{400, 41},  {401, 21}, {402, 21},  {403, 21},  {404, 1},   {405, 63},
                             {406, 79},  {407, 21}, {408, 102}, {410, 22},  {413, 127}, {415, 79},
                             {420, 127}, {480, 18}, {481, 41},  {482, 25},  {483, 25},  {484, 28},
                             {485, 1},   {486, 17}, {487, 16},  {488, 65},  {500, 41},  {501, 79},
                             {502, 38},  {503, 41}, {504, 102}, {505, 127}, {513, 127}, {600, 17},
                             {603, 21},  {604, 1},  {606, 65},  {409, 127}, {699, 127}, {0, 127}};
  for (const auto& row : to_cause) {
    CAPTURE(row[0]);
    CHECK(q850_for_sip(row[0]) == row[1]);
  }
  const int to_status[][2] = {{1, 404},   {2, 404},   {3, 404},  {16, 487}, {17, 486}, {18, 408},
                              {19, 480},  {20, 480},  {21, 403}, {22, 410}, {23, 410}, {26, 404},
                              {27, 502},  {28, 484},  {29, 501}, {31, 480}, {34, 503}, {38, 503},
                              {41, 503},  {42, 503},  {47, 503}, {55, 403}, {57, 403}, {58, 503},
                              {65, 488},  {70, 488},  {79, 501}, {87, 403}, {88, 503}, {102, 504},
                              {111, 500}, {127, 500}, {4, 500},  {0, 500},  {-5, 500}, {200, 500}};
  for (const auto& row : to_status) {
    CAPTURE(row[0]);
    CHECK(sip_for_q850(row[0]) == row[1]);
  }
}

TEST_CASE("SIP: every status that the tables use has a reason phrase (RFC 3261 section 21)") {
  CHECK(std::string(sip_reason_phrase(100)) == "Trying");
  CHECK(std::string(sip_reason_phrase(200)) == "OK");
  CHECK(std::string(sip_reason_phrase(486)) == "Busy Here");
  CHECK(std::string(sip_reason_phrase(487)) == "Request Terminated");
  CHECK(std::string(sip_reason_phrase(503)) == "Service Unavailable");
  CHECK(std::string(sip_reason_phrase(299)) == "");
  for (int cause = 1; cause <= 127; ++cause)
    CHECK(sip_reason_phrase(sip_for_q850(cause))[0] != '\0');
  for (int code = -48; code <= 16; ++code) {
    const int status = reason_facts(static_cast<Reason>(code)).sip_status;
    if (status) CHECK(sip_reason_phrase(status)[0] != '\0');
  }
}

TEST_CASE("is_number: takes 1..32 characters of digits, letters and + * # _ (R-01)") {
  CHECK(is_number("442079460000"));
  CHECK(is_number("+44*#_aZ"));
  CHECK(is_number(std::string(32, '9')));
  CHECK_FALSE(is_number(std::string(33, '9')));
  CHECK_FALSE(is_number(""));
  for (int c = 0; c < 256; ++c) {
    const bool wanted = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '+' || c == '*' || c == '#' || c == '_';
    CHECK(is_number(std::string(1, static_cast<char>(c))) == wanted);
  }
}

TEST_CASE("ReleaseSide: names are those of the records") {
  CHECK(std::string(release_side_name(ReleaseSide::caller)) == "caller");
  CHECK(std::string(release_side_name(ReleaseSide::callee)) == "callee");
  CHECK(std::string(release_side_name(ReleaseSide::server)) == "server");
}
