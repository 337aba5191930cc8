#include "tandem/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "switch/resolve.hpp"

using namespace tandem;

namespace {

/// A file with `body` beside a good listener.
ConfigReading read(const std::string& body) {
  return read_config(
      R"({"sip": {"listen": ["udp:127.0.0.1:5060"]})" + (body.empty() ? "" : ", " + body) + "}",
      "/etc/tandem");
}

std::vector<std::string> pointers(const ConfigReading& reading) {
  std::vector<std::string> found;
  for (const auto& error : reading.errors)
    found.push_back(error.pointer);
  std::sort(found.begin(), found.end());
  return found;
}

using Pointers = std::vector<std::string>;

}  // namespace

TEST_CASE("read_config: every key has the default that the reference names") {
  const ConfigReading reading = read("");
  REQUIRE(reading.errors.empty());
  const SwitchConfig& config = reading.config;
  CHECK(config.path(config.database) == "/etc/tandem/switch.db");
  CHECK(config.path("/var/x") == "/var/x");
  CHECK(config.sip_workers == 1);
  CHECK(config.media_backend == "auto");
  CHECK_FALSE(config.admin_listen);
  CHECK(config.cdr_journal == "journal");
  REQUIRE(config.cdr_sinks.size() == 1);
  CHECK(config.cdr_sinks[0].type == "sqlite");
  CHECK(config.cdr_sinks[0].path == "cdr");
  const Parameters& p = config.parameters;
  CHECK(p.no_media_hangup_s == 0);
  CHECK(p.max_call_s == 0);
  CHECK(p.invite_timeout_s == 10);
  CHECK(p.ringing_timeout_s == 120);
  CHECK(p.trying_timeout_s == 20);
  CHECK(p.progress_timeout_s == 20);
  CHECK(p.progress_sdp_timeout_s == 120);
  CHECK_FALSE(p.switch_limit);
  CHECK_FALSE(p.switch_until_connect);
  CHECK(p.stop_switch_after_rtp);
  CHECK(p.stop_switch_after_busy);
  CHECK(p.stop_switch_after_sdp);
  CHECK(p.reply_unauthorized);
  CHECK(p.media_mode == MediaMode::on);
  CHECK(p.fees == FeeRules{});
  CHECK(p.record_unanswered);
  CHECK(p.record_server_release);
  CHECK(p.record_illegal);
  CHECK(p.drain_timeout_s == 60);
  CHECK(p.interim_mark_s == 10);
  CHECK(p.sip_tos == 0xa0);
  CHECK(p.media_tos == 0xa0);
}

TEST_CASE("read_config: marks of packets and the relay's threads (M-18, P-27)") {
  const auto own = read(R"("parameters": {"sip_tos": 104, "media_tos": 184},
      "media": {"shards": 4, "nice": -5})");
  REQUIRE(own.errors.empty());
  CHECK(own.config.parameters.sip_tos == 104);
  CHECK(own.config.parameters.media_tos == 184);
  CHECK(own.config.media_shards == 4);
  CHECK(own.config.media_nice == -5);
  const auto vos = read(R"("parameters": {"SS_QOS_SIGNAL": "0", "SS_QOS_RTP": "184"})");
  REQUIRE(vos.errors.empty());
  CHECK(vos.config.parameters.sip_tos == 0);
  CHECK(vos.config.parameters.media_tos == 184);
  CHECK(read(R"("parameters": {"media_tos": 256})").errors.size() == 1);
  CHECK(read(R"("media": {"shards": 0, "nice": 1})").errors.size() == 2);
}

TEST_CASE("read_config: null means the default") {
  const auto reading = read(R"("parameters": {"invite_timeout_s": null}, "admin": null)");
  CHECK(reading.errors.empty());
  CHECK(reading.config.parameters.invite_timeout_s == 10);
  CHECK_FALSE(reading.config.admin_listen);
}

TEST_CASE("read_config: VOS names and values mean the same as ours") {
  const auto own =
      read(R"("parameters": {"invite_timeout_s": 5, "switch_limit": 3, "switch_until_connect": true,
      "reply_unauthorized": false, "media_mode": "must_on", "fee_precision": 2, "fee_unit": "0.01",
      "hold_time_precision_ms": 100, "free_time_s": 3, "free_numbers": ["110", "800*"]})");
  const auto vos =
      read(R"("parameters": {"SS_SIP_TIMEOUT_INVITE": "5", "SS_GATEWAY_SWITCH_LIMIT": "3",
      "SS_GATEWAY_SWITCH_UNTIL_CONNECT": "On", "SS_REPLY_UNAUTHORIZED": "Off", "SS_MEDIAPROXYMODE": "Must On",
      "SERVER_BILLING_FEE_PRECISION": 2, "SERVER_BILLING_FEE_UNIT": "0.01", "SERVER_BILLING_HOLD_TIME_PRECISION": 100,
      "SERVER_BILLING_FREE_TIME": 3, "SERVER_BILLING_FREE_E164S": " 110 ,800*"})");
  REQUIRE(own.errors.empty());
  REQUIRE(vos.errors.empty());
  const Parameters& a = own.config.parameters;
  const Parameters& b = vos.config.parameters;
  CHECK(a.invite_timeout_s == 5);
  CHECK(b.invite_timeout_s == 5);
  CHECK(a.switch_limit == b.switch_limit);
  CHECK(a.switch_until_connect == b.switch_until_connect);
  CHECK(b.switch_until_connect);
  CHECK(a.reply_unauthorized == b.reply_unauthorized);
  CHECK(b.media_mode == MediaMode::must_on);
  CHECK(a.fees == b.fees);
  CHECK(a.free_numbers == b.free_numbers);
  CHECK(b.free_numbers == std::vector<std::string>{"110", "800*"});
}

TEST_CASE("read_config: a key under both its names is an error") {
  CHECK(pointers(read(R"("parameters": {"max_call_s": 1, "SS_MAXCALLDURATION": 1})")) ==
        Pointers{"/parameters/SS_MAXCALLDURATION"});
}

TEST_CASE("read_config: money is a decimal text, never a number") {
  CHECK(pointers(read(
            R"("provision": {"accounts": [{"id": "a", "balance": 1}, {"id": "b", "balance": 1.5},
      {"id": "c", "balance": "1.123456789"}, {"id": "d", "balance": "-3.5"}, {"id": "e", "overdraft_limit": "-1"}]})")) ==
        Pointers{"/provision/accounts/0/balance", "/provision/accounts/1/balance",
                 "/provision/accounts/2/balance", "/provision/accounts/4/overdraft_limit"});
}

TEST_CASE("read_config: whole numbers have ranges, and fractions are none of them") {
  for (const char* value : {"0", "3601", "5.5", "\"5s\"", "true", "-1", "99999999999999999999"}) {
    CAPTURE(value);
    CHECK(pointers(read(std::string(R"("parameters": {"invite_timeout_s": )") + value + "}")) ==
          Pointers{"/parameters/invite_timeout_s"});
  }
}

TEST_CASE("read_config: listeners, media ports and the admin address are checked") {
  CHECK(pointers(read_config(
            R"({"sip": {"listen": ["udp:127.0.0.1:5060", "tls:1.2.3.4:5061", "udp:300.1.1.1"]}})",
            ".")) == Pointers{"/sip/listen/1", "/sip/listen/2"});
  CHECK(pointers(read(R"("media": {"ports": [10000]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"ports": [10000, 10001]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"ports": [20000, 10000]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"ports": [80, 10000]})")) == Pointers{"/media/ports/0"});
  CHECK(pointers(read(R"("admin": {"listen": "0.0.0.0:8080"})")) == Pointers{"/admin/token"});
  CHECK(read(R"("admin": {"listen": "0.0.0.0:8080", "token": "t"})").errors.empty());
  CHECK(read(R"("admin": {"listen": "[::1]:8080"})").errors.empty());
}

TEST_CASE(
    "read_config: an object that is broken is reported once and not for what follows from it") {
  CHECK(
      pointers(read(R"("provision": {"vendor_gateways": [{"id": "v", "addresses": ["a b"]}]})")) ==
      Pointers{"/provision/vendor_gateways/0/addresses/0"});
  CHECK(pointers(read(R"("provision": {"vendor_gateways": [{"id": "v"}]})")) ==
        Pointers{"/provision/vendor_gateways/0/addresses"});
}

TEST_CASE("read_config: a vendor needs one address a call can go to (R-01)") {
  CHECK(pointers(read(R"("provision": {"vendor_gateways": [{"id": "v", "addresses": []}]})")) ==
        Pointers{"/provision/vendor_gateways/0/addresses"});
  CHECK(pointers(read(
            R"("provision": {"vendor_gateways": [{"id": "v", "addresses": ["10.0.0.0/8"]}]})")) ==
        Pointers{"/provision/vendor_gateways/0/addresses/0"});
}

TEST_CASE("read_config: an account and its deck have one currency (B-02)") {
  CHECK(
      pointers(read(R"("provision": {"accounts": [{"id": "a", "currency": "EUR", "rate_deck": "d"}],
      "rate_decks": [{"id": "d"}]})")) == Pointers{"/provision/accounts/0/currency"});
}

TEST_CASE("read_config: two rates of one prefix and start are an error (B-05)") {
  CHECK(pointers(read(
            R"("provision": {"rate_decks": [{"id": "d", "rates": [{"prefix": "44", "price": "1"},
      {"prefix": "44", "price": "2"}, {"prefix": "44", "price": "3", "valid_from": "2027-01-01"}]}]})")) ==
        Pointers{"/provision/rate_decks/0/rates/1/prefix"});
}

TEST_CASE("read_config: customers of a vendor are allowed or denied, not both (R-09)") {
  CHECK(
      pointers(read(R"("provision": {"customer_gateways": [{"id": "c", "addresses": ["10.0.0.1"]}],
      "vendor_gateways": [{"id": "v", "addresses": ["10.0.0.2"], "customers": {"allow": ["c"], "deny": ["c"]}}]})")) ==
      Pointers{"/provision/vendor_gateways/0/customers"});
}

TEST_CASE("read_config: memo is taken everywhere, and nothing unknown is") {
  CHECK(
      read(
          R"("memo": "m", "provision": {"accounts": [{"id": "a", "memo": "m"}], "rate_decks": [{"id": "d",
      "memo": "m", "rates": [{"prefix": "", "memo": "m"}]}], "customer_gateways": [{"id": "c", "addresses": ["10.0.0.1"],
      "memo": "m"}]})")
          .errors.empty());
  CHECK(pointers(read(R"("meno": "m")")) == Pointers{"/meno"});
}

TEST_CASE("read_config: an error message is one line of printable text") {
  for (const std::string& text :
       {std::string("{\"a\": \x01\xff}"), std::string("\xff\xfe"), std::string("{\n\n\"a\n\"")}) {
    const ConfigReading reading = read_config(text, ".");
    REQUIRE(reading.errors.size() == 1);
    for (const char c : reading.errors[0].message)
      CHECK((c >= 0x20 && c < 0x7f));
  }
}

TEST_CASE("read_config_file: a file that is not there is one error without a place") {
  const ConfigReading reading = read_config_file("/nonexistent/switch.json");
  REQUIRE(reading.errors.size() == 1);
  CHECK(reading.errors[0].pointer.empty());
}

TEST_CASE("resolve_gateway_address: addresses, blocks, ports and names (A-03)") {
  const auto block = resolve_gateway_address("10.1.0.0/16");
  REQUIRE(block);
  CHECK((*block)[0].network.prefix_length == 16);
  CHECK_FALSE((*block)[0].port);
  const auto with_port = resolve_gateway_address("[2001:db8::1]:5080");
  REQUIRE(with_port);
  CHECK((*with_port)[0].port == 5080);
  CHECK((*with_port)[0].network.prefix_length == 128);
  const auto name = resolve_gateway_address("localhost:5070");
  REQUIRE(name);
  CHECK_FALSE(name->empty());
  CHECK((*name)[0].network.address.is_loopback());
  CHECK((*name)[0].port == 5070);
  for (const char* wrong : {"", "10.0.0.1:0", "10.0.0.1:70000", "host:", "ho st", "10.0.0.0/33",
                            "-", "1.2.3", "a..b:1:2"}) {
    CAPTURE(wrong);
    CHECK_FALSE(resolve_gateway_address(wrong));
  }
}

TEST_CASE("config_reference_markdown: it has every section of the file") {
  const std::string page = config_reference_markdown();
  for (const char* word : {"`sip`", "`media`", "`admin`", "`cdr`", "`parameters`",
                           "`customer_gateways[]`", "SS_SIP_TIMEOUT_INVITE", "`prefix_mode`"}) {
    CAPTURE(word);
    CHECK(page.find(word) != std::string::npos);
  }
}
