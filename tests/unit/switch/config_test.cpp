#include "tandem/config.hpp"

#include <doctest/doctest.h>

#include "switch/resolve.hpp"
#include "unit/switch/config_errors.hpp"

using namespace tandem;

namespace {

/// A file with `body` beside a good listener.
ConfigReading read(const std::string& body) {
  return read_config(
      R"({"sip": {"listen": ["udp:127.0.0.1:5060"]})" + (body.empty() ? "" : ", " + body) + "}",
      "/etc/tandem");
}

}  // namespace

TEST_CASE("read_config: every key has the default that the reference names") {
  const ConfigReading reading = read("");
  REQUIRE(reading.errors.empty());
  const SwitchConfig& config = reading.config;
  CHECK(config.path(config.database) == "/etc/tandem/switch.db");
  CHECK(config.path("/var/x") == "/var/x");
  CHECK(config.sip_workers == 1);
  CHECK(config.media_backend == MediaBackend::automatic);
  CHECK_FALSE(config.admin_listen);
  CHECK(config.cdr_journal == "journal");
  CHECK(config.cdr_commit_interval_ms == 4);
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

TEST_CASE("read_config: the pace of the journal is 0 to 100 ms") {
  CHECK(read(R"("cdr": {"commit_interval_ms": 0})").config.cdr_commit_interval_ms == 0);
  CHECK(read(R"("cdr": {"commit_interval_ms": 100})").config.cdr_commit_interval_ms == 100);
  for (const char* value : {"-1", "101", "0.5", "true"}) {
    CAPTURE(value);
    const ConfigReading reading =
        read(std::string(R"("cdr": {"commit_interval_ms": )") + value + "}");
    REQUIRE(reading.errors.size() == 1);
    CHECK(reading.errors[0].pointer == "/cdr/commit_interval_ms");
  }
}

TEST_CASE(
    "read_config: an agent is an account of its kind, in the same currency, of customers only "
    "(B-17)") {
  const auto accounts = [](const std::string& rows) {
    return read(R"("provision": {"accounts": [)" + rows + "]}");
  };
  const auto good = accounts(R"({"id": "a", "kind": "agent"}, {"id": "c", "agent": "a"})");
  REQUIRE(good.errors.empty());
  CHECK(good.config.provision.accounts[0].kind == AccountKind::agent);
  CHECK(good.config.provision.accounts[1].agent == "a");
  for (const std::string rows :
       {R"({"id": "a"}, {"id": "c", "agent": "nobody"})",
        R"({"id": "a"}, {"id": "c", "agent": "a"})",
        R"({"id": "a", "kind": "agent", "currency": "EUR"}, {"id": "c", "agent": "a"})",
        R"({"id": "a", "kind": "agent"}, {"id": "c", "kind": "agent", "agent": "a"})",
        R"({"id": "a", "kind": "agent"}, {"id": "c", "kind": "agent", "agent": "c"})",
        R"({"id": "a", "kind": "agent"}, {"id": "c", "kind": "clearing", "agent": "a"})"}) {
    CAPTURE(rows);
    CHECK(pointers(accounts(rows)) == Pointers{"/provision/accounts/1/agent"});
  }
}

TEST_CASE("read_config: a clearing account has no limits, because none would be kept (B-02)") {
  const auto account = [](const std::string& kind) {
    return pointers(read(R"("provision": {"accounts": [{"id": "a", "kind": ")" + kind +
                         R"(", "limits": [{"window": "day", "max_calls": 5}]}]})"));
  };
  CHECK(account("customer") == Pointers{});
  CHECK(account("agent") == Pointers{});
  CHECK(account("clearing") == Pointers{"/provision/accounts/0/limits"});
}

TEST_CASE("read_config: hours of a customer gateway are lines and closed times, no more (R-12)") {
  const auto gateway = [](const std::string& rest) {
    return read(R"("provision": {"calendars": [{"id": "cal"}], "customer_gateways": [{"id": "a",
        "addresses": ["10.0.0.9"], "sort": ["talk_time", "lowest_rate"], )" +
                rest + "}]}");
  };
  const ConfigReading good = gateway(R"("calendar": "cal", "periods": [
      {"days": "holiday", "closed": true}, {"from": "18:00", "to": "08:00", "line_limit": 5}])");
  REQUIRE(pointers(good) == Pointers{});
  const CustomerGateway& customer = good.config.provision.customer_gateways[0];
  CHECK(customer.calendar == "cal");
  REQUIRE(customer.periods.size() == 2);
  CHECK(customer.periods[0].closed == true);
  CHECK(customer.periods[1].line_limit == 5);
  CHECK(customer.sort == std::vector{RoutePolicy::talk_time, RoutePolicy::lowest_rate});
  const std::string place = "/provision/customer_gateways/0/";
  CHECK(pointers(gateway(R"("calendar": "none")")) == Pointers{place + "calendar"});
  CHECK(pointers(gateway(R"("periods": [{"priority": 3}])")) ==
        Pointers{place + "periods/0/priority"});
}

TEST_CASE("read_config: a partner's token is another one than that of the admin API (B-27)") {
  const auto gateway = [](const std::string& admin) {
    return read(admin + R"("provision": {"customer_gateways": [{"id": "a",
        "addresses": ["10.0.0.9"], "reconciliation_token": "partner"}]})");
  };
  const std::string admin = R"("admin": {"listen": "127.0.0.1:8080", "token": )";
  const auto good = gateway(admin + R"("own"}, )");
  REQUIRE(pointers(good) == Pointers{});
  CHECK(good.config.provision.customer_gateways[0].reconciliation_token == "partner");
  const Pointers refused{"/provision/customer_gateways/0/reconciliation_token"};
  CHECK(pointers(gateway("")) == refused);
  CHECK(pointers(gateway(admin + R"("partner"}, )")) == refused);
}

TEST_CASE("read_config: advance and verification of balances (B-11, B-28)") {
  CHECK(read("").config.parameters.overdraft_advance_min == 0);
  CHECK(read("").config.parameters.verify_customer_balance);
  CHECK(read("").config.parameters.verify_agent_balance);
  const auto own = read(R"("parameters": {"overdraft_advance_min": 15,
      "verify_customer_balance": false, "verify_agent_balance": false})");
  REQUIRE(own.errors.empty());
  CHECK(own.config.parameters.overdraft_advance_min == 15);
  CHECK_FALSE(own.config.parameters.verify_customer_balance);
  CHECK_FALSE(own.config.parameters.verify_agent_balance);
  const auto vos =
      read(R"("parameters": {"SERVER_BILLING_PREVENT_OVERDRAFT_ADVANCE_TIME": "None"})");
  REQUIRE(vos.errors.empty());
  CHECK(vos.config.parameters.overdraft_advance_min == 0);
  for (const char* wrong : {"0", "16", "\"many\""}) {
    CHECK(pointers(read(std::string(R"("parameters": {"overdraft_advance_min": )") + wrong +
                        "}")) == Pointers{"/parameters/overdraft_advance_min"});
  }
}

TEST_CASE("read_config: timers of requests, in milliseconds or as VOS has them (P-20)") {
  const auto usual = read(R"("parameters": {})");
  REQUIRE(usual.errors.empty());
  CHECK(usual.config.parameters.sip_t1_ms == 500);
  CHECK(usual.config.parameters.sip_t2_ms == 4000);
  CHECK(usual.config.parameters.sip_t4_ms == 5000);
  CHECK(usual.config.parameters.sip_resend_ms.empty());
  const auto own = read(R"("parameters": {"sip_t1_ms": 200, "sip_t2_ms": 1000, "sip_t4_ms": 2000,
      "sip_resend_ms": [200, 400, 64000]})");
  REQUIRE(own.errors.empty());
  CHECK(own.config.parameters.sip_t1_ms == 200);
  CHECK(own.config.parameters.sip_t2_ms == 1000);
  CHECK(own.config.parameters.sip_t4_ms == 2000);
  CHECK(own.config.parameters.sip_resend_ms == std::vector<std::int32_t>{200, 400, 64'000});
  const auto vos = read(R"("parameters": {"SS_SIP_RESEND_INTERVAL": "0.5,1, 2.25,4.125"})");
  REQUIRE(vos.errors.empty());
  CHECK(vos.config.parameters.sip_resend_ms == std::vector<std::int32_t>{500, 1000, 2250, 4125});
  for (const char* wrong :
       {"[49]", "[64001]", "\"0.01\"", "\"1,,2\"", "\"1.2345\"", "\"-1\"", "\"1.-2\"", "\"65\"",
        "[1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,1000,"
        "1000,1000,1000,1000]"}) {
    CAPTURE(wrong);
    CHECK(read(std::string(R"("parameters": {"sip_resend_ms": )") + wrong + "}").errors.size() >=
          1);
  }
  CHECK(read(R"("parameters": {"sip_t1_ms": 5000})").errors.size() == 1);  // above T2
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

TEST_CASE("read_config: the jitter buffer has two bounds in order, and can be taken away (M-16)") {
  const auto usual = read("\"cdr\": {}");
  CHECK(usual.config.media_jitter_min_ms == 20);
  CHECK(usual.config.media_jitter_max_ms == 200);
  const auto own = read(R"("media": {"jitter_buffer_ms": [30, 90]})");
  REQUIRE(own.errors.empty());
  CHECK(own.config.media_jitter_min_ms == 30);
  CHECK(own.config.media_jitter_max_ms == 90);
  CHECK(read(R"("media": {"jitter_buffer_ms": [0, 0]})").config.media_jitter_max_ms == 0);
  for (const char* wrong : {"90", "[90]", "[90, 30]", "[0, 1001]", "[-1, 20]", "[1, 2, 3]"}) {
    CAPTURE(wrong);
    const auto refused = read(std::string(R"("media": {"jitter_buffer_ms": )") + wrong + "}");
    REQUIRE(refused.errors.size() == 1);
    CHECK(pointers(refused)[0].starts_with("/media/jitter_buffer_ms"));
  }
}

TEST_CASE("read_config: the backend of the relay, and what the kernel needs for it") {
  const auto media = [](const std::string& keys) { return read(R"("media": {)" + keys + "}"); };
  CHECK(media(R"("backend": "portable")").config.media_backend == MediaBackend::portable);
  CHECK(media(R"("backend": "fast")").config.media_backend == MediaBackend::fast);
  const auto kernel = media(R"("backend": "kernel", "kernel": {"interfaces": ["eth0", "eth1"],
      "attach": "tc", "folder": "/sys/fs/bpf/other", "packets_per_s_max": 0})");
  REQUIRE(kernel.errors.empty());
  CHECK(kernel.config.media_backend == MediaBackend::kernel);
  CHECK(kernel.config.media_kernel.interfaces == std::vector<std::string>{"eth0", "eth1"});
  CHECK(kernel.config.media_kernel.attach == MediaAttach::tc);
  CHECK(kernel.config.media_kernel.folder == "/sys/fs/bpf/other");
  CHECK(kernel.config.media_kernel.packets_per_s_max == 0);
  CHECK(pointers(media(R"("backend": "best")")) == Pointers{"/media/backend"});
  CHECK(pointers(media(R"("backend": "kernel")")) == Pointers{"/media/kernel/interfaces"});
  CHECK(pointers(media(R"("kernel": {})")) == Pointers{"/media/kernel/interfaces"});
  CHECK(pointers(media(R"("kernel": {"interfaces": []})")) == Pointers{"/media/kernel/interfaces"});
  CHECK(pointers(media(R"("kernel": {"interfaces": ["a-name-of-16-chs"]})")) ==
        Pointers{"/media/kernel/interfaces/0"});
  CHECK(pointers(media(R"("kernel": {"interfaces": ["eth0"], "folder": "here",
      "packets_per_s_max": 49})")) ==
        Pointers{"/media/kernel/folder", "/media/kernel/packets_per_s_max"});
  // Keys that nothing reads.
  CHECK(pointers(media(R"("backend": "portable", "kernel": {"interfaces": ["eth0"]})")) ==
        Pointers{"/media/kernel"});
}

TEST_CASE("read_config: recordings have a folder, a pattern and limits (M-15)") {
  CHECK_FALSE(read("\"cdr\": {}").config.recording);
  const auto plain = read(R"("recording": {})");
  REQUIRE(plain.errors.empty());
  REQUIRE(plain.config.recording);
  CHECK(plain.config.recording->folder == "recordings");
  CHECK(plain.config.recording->name == "{date}/{time}-{caller}-{callee}-{id}");
  const auto own = read(R"("recording": {"name": "{customer}/{id}", "delete_after_days": 30})");
  REQUIRE(own.errors.empty());
  CHECK(own.config.recording->name == "{customer}/{id}");
  CHECK(own.config.recording->delete_after_days == 30);
  CHECK(read(R"("recording": {"name": "../{caller}"})").errors.size() == 1);
  CHECK(read(R"("recording": {"calls_max": 0, "format": "mp3"})").errors.size() == 2);
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

TEST_CASE("read_config: rarer spellings of VOS mean the same too (R-15, R-24, B-07, B-14)") {
  const auto parameters = [](const std::string& text) {
    const auto reading = read(R"("parameters": {)" + text + "}");
    REQUIRE(reading.errors.empty());
    return reading.config.parameters;
  };
  CHECK(parameters(R"("SERVER_BILLING_FEE_PRECISTION": 4)").fees.precision == 4);
  CHECK(parameters(R"("SERVER_BILLING_GATEWAY_ROUTE_PREFIX": "88,99")")
            .gateway_route_prefix.prefixes == std::vector<std::string>{"88", "99"});
  CHECK(parameters(R"("SERVER_BILLING_GATEWAY_ROUTE_PREFIX": 3)").gateway_route_prefix.characters ==
        3);
  CHECK(parameters(R"("SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT": "On")")
            .stop_switch_after_invite_timeout);
  CHECK_FALSE(parameters(R"("FORWARD_SIGNAL_REWRITE_SEQUENCE": "On")").forward_pool_random);
  CHECK(parameters(R"("FORWARD_SIGNAL_REWRITE_SEQUENCE": "Off")").forward_pool_random);
  CHECK(parameters(R"("FORWARD_SIGNAL_REWRITE_SEQUENCE": false)").forward_pool_random);
  CHECK(parameters(R"("forward_pool_rotation": "random")").forward_pool_random);
  CHECK_FALSE(parameters(R"("forward_pool_rotation": true)").forward_pool_random);
}

TEST_CASE("config_warnings: nothing is recorded without a section that says where (M-15)") {
  const std::string recorded = R"("provision": {"accounts": [{"id": "acme", "record": true}]})";
  const auto lost = read(recorded);
  REQUIRE(lost.errors.empty());
  const auto warnings = config_warnings(lost.config);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].pointer == "/provision/accounts/0/record");
  CHECK(config_warnings(read(R"("recording": {}, )" + recorded).config).empty());
  const auto kept = config_warnings(read(R"("recording": {"delete_after_days": 7})").config);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].pointer == "/recording/delete_after_days");
}

TEST_CASE("config_warnings: a vendor without rates passes margin guards (R-18)") {
  const auto warned = [](const std::string& customer, const std::string& vendor) {
    const auto reading =
        read(R"("provision": {
      "accounts": [{"id": "acme"}, {"id": "north", "kind": "clearing", "rate_deck": "d"}],
      "rate_decks": [{"id": "d", "rates": [{"prefix": "44", "price": "1"}]}],
      "customer_gateways": [{"id": "a", "addresses": ["192.0.2.1"], "account": "acme")" +
             customer + R"(}], "vendor_gateways": [{"id": "v", "addresses": ["192.0.2.2"])" +
             vendor + "}]}");
    REQUIRE(reading.errors.empty());
    return config_warnings(reading.config);
  };
  CHECK(warned("", "").empty());
  CHECK(warned(R"(, "min_profit_percent": 10)", R"(, "require_rate": true)").empty());
  auto warnings = warned(R"(, "min_profit_percent": 10)", "");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].pointer == "/provision/vendor_gateways/0/require_rate");
  CHECK(warnings[0].message.find("customer gateway \"a\"") != std::string::npos);
  CHECK(warnings[0].message.find("has no rates") != std::string::npos);
  warnings = warned("", R"(, "account": "north", "max_price_per_s": "0.01")");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].message.find("without a rate in \"d\"") != std::string::npos);
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
            R"({"sip": {"listen": ["udp:127.0.0.1:5060", "sctp:1.2.3.4:5061", "udp:300.1.1.1"]}})",
            ".")) == Pointers{"/sip/listen/1", "/sip/listen/2"});
  CHECK(pointers(read(R"("media": {"ports": [10000]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"ports": [10000, 10001]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"ports": [20000, 10000]})")) == Pointers{"/media/ports"});
  CHECK(pointers(read(R"("media": {"dtls_key": "key.pem"})")) == Pointers{"/media"});
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

TEST_CASE("read_config: number portability is read whole, under the names of VOS too (R-20)") {
  const auto reading = read(R"("provision": {
      "lrn_resolvers": [
        {"id": "sip", "kind": "sip302", "addresses": ["10.0.0.3", "10.0.0.4:5070"], "transport": "tcp",
         "caller": "acme", "region_key": "state", "timeout_ms": 500, "retries": 2, "cache_s": 60,
         "cache_entries": 10, "queries_max": 5},
        {"id": "web", "kind": "http", "addresses": ["10.0.0.5"], "path": "/v1/{number}", "headers": ["X-Key: k"],
         "lrn_key": "/a/b", "connections": 2},
        {"id": "own", "kind": "host"},
        {"id": "tree", "kind": "enum", "addresses": ["10.0.0.6"], "suffix": "numbers.example"}],
      "customer_gateways": [
        {"id": "a", "addresses": ["10.0.0.1"], "lrn": {"resolver": "sip", "lrnEnable": "Off", "lrnEatPrefixLength": 3,
         "lrnFailureAction": 1, "lrnInterstateBillingPrefix": "8", "lrnUndeterminedBillingPrefix": "9"}},
        {"id": "b", "addresses": ["10.0.0.2"], "lrn": {"resolver": "own", "failure_action": "continue",
         "route_by": "dialled", "trust_npdi": true}}],
      "vendor_gateways": [{"id": "v", "addresses": ["10.0.0.9"], "send_npdi": false}]})");
  for (const auto& error : reading.errors)
    MESSAGE(error.pointer << ": " << error.message);
  REQUIRE(reading.errors.empty());
  const Provision& p = reading.config.provision;
  REQUIRE(p.lrn_resolvers.size() == 4);
  CHECK(p.lrn_resolvers[0].addresses[0].port == 0);
  CHECK(p.lrn_resolvers[0].addresses[1].to_string() == "10.0.0.4:5070");
  CHECK(p.lrn_resolvers[0].transport == SipTransport::tcp);
  CHECK(p.lrn_resolvers[0].queries_max == 5);
  CHECK(p.lrn_resolvers[1].headers == std::vector<std::string>{"X-Key: k"});
  CHECK(p.lrn_resolvers[1].lrn_key == "/a/b");
  CHECK(p.lrn_resolvers[2].timeout_ms == 1000);
  CHECK(p.lrn_resolvers[2].suffix == "e164.arpa");
  CHECK(p.lrn_resolvers[3].kind == LrnResolverKind::naptr);
  CHECK(p.lrn_resolvers[3].suffix == "numbers.example");
  const LrnGatewayConfig& a = *p.customer_gateways[0].lrn;
  CHECK_FALSE(a.enable);
  CHECK(a.eat_prefix_length == 3);
  CHECK(a.failure_action == LrnFailureAction::go_on);
  CHECK(a.interstate_billing_prefix == "8");
  CHECK(a.undetermined_billing_prefix == "9");
  CHECK(a.routes_by_lrn);
  const LrnGatewayConfig& b = *p.customer_gateways[1].lrn;
  CHECK(b.enable);
  CHECK(b.failure_action == LrnFailureAction::go_on);
  CHECK_FALSE(b.routes_by_lrn);
  CHECK(b.trusts_npdi);
  CHECK_FALSE(p.vendor_gateways[0].send_npdi);
}

TEST_CASE("read_config: what is wrong about number portability is named where it stands (R-20)") {
  CHECK(pointers(read(R"("provision": {
      "lrn_resolvers": [
        {"id": "a", "kind": "dns", "addresses": ["10.0.0.3"]},
        {"id": "b", "kind": "http", "addresses": ["10.0.0.0/8"], "path": "/no/number"},
        {"id": "c", "kind": "http"},
        {"id": "d", "kind": "host", "addresses": ["10.0.0.3"]},
        {"id": "e", "kind": "http", "addresses": ["10.0.0.3"], "headers": ["X-Key: k", "Host: x", "a\r\nb: c"],
         "lrn_key": "/a~2", "timeout_ms": 5, "retries": 9},
        {"id": "f", "addresses": ["10.0.0.3"]},
        {"id": "g", "kind": "enum", "suffix": "e164..arpa"}],
      "customer_gateways": [
        {"id": "a", "addresses": ["10.0.0.1"], "lrn": {"resolver": "none"}},
        {"id": "b", "addresses": ["10.0.0.1"], "lrn": {"eat_prefix_length": 33, "failure_action": 2, "route_by": "x",
         "interstate_billing_prefix": "8 8"}}]})")) ==
        Pointers{"/provision/customer_gateways/0/lrn/resolver",
                 "/provision/customer_gateways/1/lrn/eat_prefix_length",
                 "/provision/customer_gateways/1/lrn/failure_action",
                 "/provision/customer_gateways/1/lrn/interstate_billing_prefix",
                 "/provision/customer_gateways/1/lrn/resolver",
                 "/provision/customer_gateways/1/lrn/route_by", "/provision/lrn_resolvers/0/kind",
                 "/provision/lrn_resolvers/1/addresses", "/provision/lrn_resolvers/1/path",
                 "/provision/lrn_resolvers/2/addresses", "/provision/lrn_resolvers/3/addresses",
                 "/provision/lrn_resolvers/4/headers/1", "/provision/lrn_resolvers/4/headers/2",
                 "/provision/lrn_resolvers/4/lrn_key", "/provision/lrn_resolvers/4/retries",
                 "/provision/lrn_resolvers/4/timeout_ms", "/provision/lrn_resolvers/5/kind",
                 "/provision/lrn_resolvers/6/addresses", "/provision/lrn_resolvers/6/suffix"});
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

TEST_CASE("read_config: a name of a gateway is kept, not asked for (P-01)") {
  const ConfigReading reading = read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]},
    "provision": {"vendor_gateways": [
      {"id": "v", "addresses": ["10.0.0.1", "sip.carrier.invalid", "sbc.invalid:5080"],
       "sip": {"transport": "auto"}}]}})",
                                            ".");
  CHECK(reading.errors.empty());
  const VendorGateway& vendor = reading.config.provision.vendor_gateways.at(0);
  REQUIRE(vendor.addresses.size() == 3);
  CHECK_FALSE(vendor.addresses[0].is_name());
  CHECK(vendor.addresses[1].is_name());
  CHECK_FALSE(vendor.addresses[1].port);
  CHECK(vendor.addresses[2].is_name());
  CHECK(vendor.addresses[2].port == 5080);
  CHECK(vendor.sip.finds_transport);
}

TEST_CASE("read_config: dns has bounds, and what nothing reads is refused (P-01)") {
  const auto read_dns = [](const std::string& dns) {
    return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "dns": )" + dns + "}", ".");
  };
  const ConfigReading good = read_dns(
      R"({"servers": ["10.0.0.53", "[::1]:5353"], "timeout_ms": 300, "rounds": 1, "ttl_min_s": 1,
          "ttl_max_s": 60, "negative_ttl_max_s": 10, "stale_s": 0, "entries_max": 64, "rest_s": 0,
          "hosts_file": ""})");
  CHECK(good.errors.empty());
  REQUIRE(good.config.dns.servers.size() == 2);
  CHECK(good.config.dns.servers[0].to_string() == "10.0.0.53:53");
  CHECK(good.config.dns.servers[1].to_string() == "[::1]:5353");
  CHECK(good.config.dns.stale_s == 0);
  CHECK(good.config.dns.hosts_file.empty());
  for (const auto& [dns, pointer] : {std::pair(R"({"servers": ["ns.example"]})", "/dns/servers/0"),
                                     {R"({"servers": ["10.0.0.53:0"]})", "/dns/servers/0"},
                                     {R"({"timeout_ms": 49})", "/dns/timeout_ms"},
                                     {R"({"rounds": 6})", "/dns/rounds"},
                                     {R"({"ttl_min_s": 61, "ttl_max_s": 60})", "/dns/ttl_max_s"},
                                     {R"({"search": "x.net"})", "/dns/search"}}) {
    const ConfigReading bad = read_dns(dns);
    REQUIRE(bad.errors.size() == 1);
    CHECK(bad.errors[0].pointer == pointer);
  }
}

TEST_CASE("config_reference_markdown: it has every section of the file") {
  const std::string page = config_reference_markdown();
  for (const char* word : {"`sip`", "`media`", "`recording`", "`admin`", "`cdr`", "`parameters`",
                           "`customer_gateways[]`", "SS_SIP_TIMEOUT_INVITE", "`prefix_mode`"}) {
    CAPTURE(word);
    CHECK(page.find(word) != std::string::npos);
  }
}

TEST_CASE(
    "read_config: groups, calendars, periods, splits and pools are read (R-11..R-13, R-19, R-24)") {
  const auto reading = read(R"("parameters": {"timezone": "Europe/London",
        "SS_GATEWAY_ASR_RESERVE_TIME": 600, "quality_slice_s": 60,
        "SERVER_GATEWAY_ROUTE_FEE_RATE_SORT_CONFIG": "2", "SS_TRY_PROTECT_ROUTE_DELAY": 30,
        "SERVER_VERIFY_CLEARING_CUSTOMER_REMAIN_MONEY_LIMIT": "5.00"},
      "provision": {
        "customer_gateways": [{"id": "c", "addresses": ["127.0.0.2"], "calls_per_second": 10, "burst": 20,
          "sort": ["answer_ratio", "lowest_rate"], "split": [{"share": 3, "add_prefix": "a"}, {"share": 1}],
          "vendor_groups": {"allow": ["g"]}, "min_profit_percent": "12.5"}],
        "vendor_gateways": [{"id": "v", "addresses": ["127.0.0.3"], "protect": true, "require_rate": true,
          "least_cost": true, "quality": false, "max_price_per_s": "0.01", "min_profit_percent": -50,
          "caller_pool": {"numbers": "n", "calls_per_number": 0, "rotation": "Random"}, "calendar": "cal",
          "periods": [{"days": "mon-fri,holiday", "from": "22:30", "to": "06:00:30", "day_class": "work",
            "line_limit": 5, "priority": 2, "rewrite_callee": "", "forbid_callee_prefixes": ["44"]},
            {"from": 3600, "to": 86400, "closed": true, "timezone": "+08:00"}]}],
        "gateway_groups": [{"id": "g", "line_limit": 10, "members": [{"gateway": "c"}, {"gateway": "v", "reserved_lines": 3}],
          "calendar": "cal", "periods": [{"days": "work", "from": "08:00", "to": "18:00", "line_limit": 20, "memo": "peak"}]}],
        "number_groups": [{"id": "n", "numbers": ["101", "102"]}],
        "calendars": [{"id": "cal", "timezone": "Asia/Tokyo", "week": {"sat": "work", "sun": "holiday"},
          "exceptions": [{"date": "2026-12-25", "class": "holiday", "memo": "Christmas"}]}]})");
  for (const auto& error : reading.errors)
    FAIL_CHECK(error.pointer << ": " << error.message);
  const Parameters& p = reading.config.parameters;
  CHECK(p.timezone == "Europe/London");
  CHECK(p.quality_window_s == 600);
  CHECK(p.rate_sort_position == 2);
  CHECK_FALSE(p.quality_sort_position.has_value());
  CHECK(p.protect_delay_s == 30);
  CHECK(p.vendor_balance_minimum->to_string() == "5.00");
  const Provision& provision = reading.config.provision;
  const CustomerGateway& customer = provision.customer_gateways.at(0);
  CHECK(customer.calls_per_second == 10);
  CHECK(customer.burst == 20);
  CHECK(customer.sort == std::vector{RoutePolicy::answer_ratio, RoutePolicy::lowest_rate});
  CHECK(customer.split.at(0).add_prefix == "a");
  CHECK(customer.split.at(1).share == 1);
  CHECK(customer.vendor_groups_allow == std::vector<std::string>{"g"});
  CHECK(customer.min_profit_hundredths == 1250);
  const VendorGateway& vendor = provision.vendor_gateways.at(0);
  CHECK(vendor.protect);
  CHECK(vendor.require_rate);
  CHECK(vendor.least_cost);
  CHECK(vendor.quality == false);
  CHECK(vendor.max_price_per_s->to_string() == "0.01");
  CHECK(vendor.min_profit_hundredths == -5000);
  CHECK(vendor.caller_pool->calls_per_number == 0);
  CHECK(vendor.caller_pool->is_random);
  const PeriodConfig& period = vendor.periods.at(0);
  CHECK(period.days.weekdays == 0b0111110);
  CHECK(period.days.classes == 0b100);
  CHECK(period.from_s == 81000);
  CHECK(period.to_s == 21630);
  CHECK(period.day_class == DayClass::work);
  CHECK(period.line_limit == 5);
  CHECK(period.priority == 2);
  CHECK(period.rewrite_callee == "");
  CHECK_FALSE(period.rewrite_caller.has_value());
  CHECK_FALSE(period.closed.has_value());
  CHECK(vendor.periods.at(1).closed == true);
  CHECK(vendor.periods.at(1).from_s == 3600);
  CHECK(provision.gateway_groups.at(0).members.at(1).reserved_lines == 3);
  CHECK(provision.gateway_groups.at(0).calendar == "cal");
  CHECK(provision.gateway_groups.at(0).periods.at(0).line_limit == 20);
  CHECK(provision.calendars.at(0).week[6] == DayClass::work);
  CHECK(provision.calendars.at(0).week[0] == DayClass::holiday);
  CHECK(provision.calendars.at(0).exceptions.size() == 1);
}

TEST_CASE(
    "read_config: what cannot be in groups, calendars, periods and pools is named by its place") {
  const auto places = [](const std::string& provision) {
    return pointers(read("\"provision\": {" + provision + "}"));
  };
  const auto vendor = [&](const std::string& keys) {
    return places(R"("vendor_gateways": [{"id": "v", "addresses": ["127.0.0.3"], )" + keys + "}]");
  };
  const auto customer = [&](const std::string& keys) {
    return places(R"("customer_gateways": [{"id": "c", "addresses": ["127.0.0.2"], )" + keys +
                  "}]");
  };
  const std::string v = "/provision/vendor_gateways/0", c = "/provision/customer_gateways/0";
  CHECK(vendor(R"("calendar": "none")") == Pointers{v + "/calendar"});
  const auto group = [&](const std::string& keys) {
    return places(R"("gateway_groups": [{"id": "g", "line_limit": 10, )" + keys + "}]");
  };
  const std::string g = "/provision/gateway_groups/0";
  CHECK(group(R"("calendar": "none")") == Pointers{g + "/calendar"});
  CHECK(group(R"("periods": [{"from": "08:00"}])") == Pointers{g + "/periods/0/line_limit"});
  CHECK(group(R"("periods": [{"line_limit": 5, "priority": 1}])") ==
        Pointers{g + "/periods/0/priority"});
  CHECK(vendor(R"("caller_pool": {"numbers": "none"})") == Pointers{v + "/caller_pool/numbers"});
  CHECK(vendor(R"("periods": [{"days": "someday"}])") == Pointers{v + "/periods/0/days"});
  CHECK(vendor(R"("periods": [{"from": "25:00"}])") == Pointers{v + "/periods/0/from"});
  CHECK(vendor(R"("periods": [{"from": "24:00"}])").front() == v + "/periods/0");
  CHECK(vendor(R"("periods": [{"from": "8:00"}])") == Pointers{v + "/periods/0/from"});
  CHECK(vendor(R"("periods": [{"from": "08:00", "to": "08:00"}])") == Pointers{v + "/periods/0"});
  CHECK(vendor(R"("periods": [{"timezone": "Mars/Base"}])") == Pointers{v + "/periods/0/timezone"});
  CHECK(vendor(R"("periods": [{"rewrite_callee": "x"}])") ==
        Pointers{v + "/periods/0/rewrite_callee"});
  CHECK(vendor(R"("min_profit_percent": 10001)") == Pointers{v + "/min_profit_percent"});
  CHECK(vendor(R"("min_profit_percent": "1.234")") == Pointers{v + "/min_profit_percent"});
  CHECK(vendor(R"("max_price_per_s": "-1")") == Pointers{v + "/max_price_per_s"});
  CHECK(customer(R"("sort": ["cheapest"])") == Pointers{c + "/sort/0"});
  CHECK(customer(R"("sort": ["lowest_rate", "lowest_rate"])") == Pointers{c + "/sort/1"});
  CHECK(customer(R"("sort": ["lowest_rate", "talk_time", "answer_ratio"])") ==
        Pointers{c + "/sort/2"});
  CHECK(customer(R"("split": [{"share": 0}])") == Pointers{c + "/split/0/share"});
  CHECK(customer(R"("split": [{"add_prefix": "a"}])") == Pointers{c + "/split/0/share"});
  CHECK(customer(R"("vendor_groups": {"allow": ["none"]})") ==
        Pointers{c + "/vendor_groups/allow/0"});
  CHECK(places(R"("gateway_groups": [{"id": "g", "line_limit": 2,
      "members": [{"gateway": "none", "reserved_lines": 3}]}])") ==
        Pointers{"/provision/gateway_groups/0/members/0/gateway",
                 "/provision/gateway_groups/0/members/0/reserved_lines"});
  CHECK(places(R"("number_groups": [{"id": "n", "numbers": ["1", "1", "x!"]}])") ==
        Pointers{"/provision/number_groups/0/numbers/1", "/provision/number_groups/0/numbers/2"});
  CHECK(places(R"("calendars": [{"id": "x", "week": {"someday": "work"},
      "exceptions": [{"date": "2026-02-30", "class": "free"}]}])") ==
        Pointers{"/provision/calendars/0/exceptions/0/class",
                 "/provision/calendars/0/exceptions/0/date",
                 "/provision/calendars/0/week/someday"});
  CHECK(pointers(read(R"("parameters": {"quality_window_s": 86400, "quality_slice_s": 1})")) ==
        Pointers{"/parameters/quality_slice_s"});
  CHECK(pointers(read(R"("parameters": {"timezone": "x y"})")) == Pointers{"/parameters/timezone"});
  CHECK(
      pointers(read(R"("parameters": {"SS_GATEWAY_QUALITY_CALCULATE": "On",
      "SS_GATEWAY_ASR_CALCULATE": "On"})")) ==
      Pointers{"/parameters/SS_GATEWAY_ASR_CALCULATE", "/parameters/SS_GATEWAY_QUALITY_CALCULATE"});
}

TEST_CASE("read_config: what only a start could not do is an error of the file") {
  const auto places = [](const std::string& keys) {
    return pointers(read_config("{" + keys + "}", "."));
  };
  const std::string listen = R"("sip": {"listen": ["udp:127.0.0.1:5060"]})";
  CHECK(places(R"("sip": {"listen": ["udp:0.0.0.0:5060"]})") == Pointers{"/sip/listen/0"});
  CHECK(
      places(
          R"("sip": {"listen": ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "udp:127.0.0.1:5060"]})") ==
      Pointers{"/sip/listen/2"});
  CHECK(places(listen + R"(, "media": {"address": "0.0.0.0"})") == Pointers{"/media/address"});
  CHECK(places(listen + R"(, "parameters": {"free_numbers": ["110", "zz zz"]})") ==
        Pointers{"/parameters/free_numbers"});
  CHECK(places(listen + R"(, "cdr": {"sinks": [{"type": "sqlite"}, {"type": "csv"}]})").empty());
  CHECK(places(listen + R"(, "cdr": {"sinks": [{"type": "sqlite"}, {"type": "slots"}]})").empty());
  CHECK(places(listen + R"(, "cdr": {"sinks": [{"type": "csv"}, {"type": "slots"}]})") ==
        Pointers{"/cdr/sinks/1"});
  for (const char* sink : {R"({"type": "sqlite", "tls_ca": "a.pem"})",
                           R"({"type": "http", "url": "http://a/", "tls_ca": "a.pem"})",
                           R"({"type": "http", "url": "https://a/", "tls_key": "a.pem"})"}) {
    CAPTURE(std::string(sink));
    CHECK_FALSE(places(listen + R"(, "cdr": {"sinks": [)" + sink + "]}").empty());
  }
  CHECK(places(listen + R"(, "cdr": {"sinks": [{"type": "http", "url": "https://a/"}]})").empty());
  CHECK(
      places(listen + R"(, "cdr": {"sinks": [{"type": "csv"}, {"type": "csv", "path": "cdr"}]})") ==
      Pointers{"/cdr/sinks/1/path"});
  CHECK(
      places(listen + R"(, "provision": {"accounts": [{"id": "a", "balance": "92233720368"}]})") ==
      Pointers{"/provision/accounts/0/balance"});
  CHECK(places(listen +
               R"(, "provision": {"customer_gateways": [{"id": "c", "addresses": ["127.0.0.2"],
        "allow_caller_groups": [""]}]})") ==
        Pointers{"/provision/customer_gateways/0/allow_caller_groups/0"});
}
