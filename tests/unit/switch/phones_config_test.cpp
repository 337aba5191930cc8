// Keys of phones and of registration, and what does not go together.
#include <doctest/doctest.h>

#include "tandem/config.hpp"
#include "unit/switch/config_errors.hpp"

using namespace tandem;

namespace {

ConfigReading read(const std::string& provision, const std::string& parameters = "{}") {
  return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "parameters": )" + parameters +
                         R"(, "provision": {"accounts": [{"id": "acme"}], )" + provision + "}}",
                     ".");
}

}  // namespace

TEST_CASE("read_config: a phone says where its calls go instead (T-02, T-03, T-09, T-13)") {
  const ConfigReading reading = read(R"("calendars": [{"id": "office"}], "phones": [
    {"number": "1001", "password": "p", "account": "acme", "do_not_disturb": true, "forward": {
      "periods": [{"days": "mon-fri", "from": "18:00", "to": "08:00", "targets": ["1002"]}],
      "calendar": "office", "unconditional": "1003", "busy": ["1", {"number": "2", "ring_s": 5}],
      "no_answer": {"number": "3"}, "offline": [], "method": "random", "display": "own",
      "ring_s": 30}}])",
                                     R"({"SS_CALL_FORWARD_USING_ORIGINAL_CALLER": "Off",
                                         "SERVER_BILLING_FORWARD_PREFIX": "F"})");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK_FALSE(reading.config.parameters.call_forward_using_original_caller);
  CHECK(reading.config.parameters.billing_forward_prefix == "F");
  const PhoneConfig& phone = reading.config.provision.phones.at(0);
  CHECK(phone.do_not_disturb);
  const PhoneForward& forward = phone.forward;
  REQUIRE(forward.periods.size() == 1);
  CHECK(forward.periods[0].from_s == 18 * 3600);
  CHECK(forward.periods[0].to_s == 8 * 3600);
  CHECK(forward.periods[0].targets.at(0).number == "1002");
  CHECK(forward.calendar == "office");
  CHECK(forward.unconditional.at(0).number == "1003");
  REQUIRE(forward.busy.size() == 2);
  CHECK(forward.busy[0].ring_s == -1);
  CHECK(forward.busy[1].ring_s == 5);
  CHECK(forward.no_answer.at(0).number == "3");
  CHECK(forward.offline.empty());
  CHECK(forward.method == ForwardMethod::random);
  CHECK(forward.display == ForwardDisplay::own);
  CHECK(forward.ring_s == 30);
  CHECK_FALSE(phone.rings_together);
}

TEST_CASE("read_config: a phone may ring several at once (T-02, P-05)") {
  const ConfigReading reading = read(
      R"("phones": [{"number": "1001", "password": "p", "account": "acme", "rings_together": true,
                    "forward": {"unconditional": ["1", "2"], "method": "simultaneous"}}])",
      R"({"phone_contacts": 3})");
  REQUIRE(pointers(reading) == Pointers{});
  const PhoneConfig& phone = reading.config.provision.phones.at(0);
  CHECK(phone.rings_together);
  CHECK(phone.forward.method == ForwardMethod::simultaneous);
  CHECK(std::string(forward_method_name(phone.forward.method)) == "simultaneous");
  CHECK(pointers(read(R"("phones": [{"number": "1", "password": "p", "account": "acme",
                                     "rings_together": 1, "forward": {"method": "all"}}])",
                      "{}")) ==
        Pointers{"/provision/phones/0/forward/method", "/provision/phones/0/rings_together"});
}

TEST_CASE("read_config: a phone may transfer unless it is said otherwise (T-04, T-07, T-08)") {
  const ConfigReading reading = read(
      R"("phones": [{"number": "1001", "password": "p", "account": "acme"},
                   {"number": "1002", "password": "p", "account": "acme", "refer": "relay",
                    "transfer_keys": true}])",
      R"({"SS_CALL_TRANSFER_NORMAL_DISPLAY": "Off", "call_transfer_remote_ring": false,
          "SS_CALL_TRANSFER_ASK_DISPLAY": "On",
          "transfer_first_key_s": 20, "transfer_key_s": 2, "service_idle_s": 7})");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(reading.config.provision.phones.at(0).refer == ReferMode::local);
  CHECK_FALSE(reading.config.provision.phones.at(0).transfer_keys);
  CHECK(reading.config.provision.phones.at(1).refer == ReferMode::relay);
  CHECK(reading.config.provision.phones.at(1).transfer_keys);
  const Parameters& parameters = reading.config.parameters;
  CHECK_FALSE(parameters.call_transfer_using_original_caller);
  CHECK_FALSE(parameters.call_transfer_remote_ring);
  CHECK(parameters.call_transfer_ask_using_original_caller);
  CHECK(parameters.transfer_first_key_s == 20);
  CHECK(parameters.transfer_key_s == 2);
  CHECK(parameters.service_idle_s == 7);
  for (const std::string key : {"transfer_key_s", "service_idle_s"}) {
    CHECK(pointers(read(R"("phones": [])", "{\"" + key + "\": 0}")) ==
          Pointers{"/parameters/" + key});
  }
}

TEST_CASE("read_config: phones pick up, and take over what they may (T-10, RFC 3891)") {
  const ConfigReading reading = read(
      R"("phones": [{"number": "1001", "password": "p", "account": "acme"},
                   {"number": "1002", "password": "p", "account": "acme", "replaces": "own",
                    "pickup_group": "sales"}])",
      R"({"pickup_code": "*8", "pickup_code_is_last": true})");
  REQUIRE(pointers(reading) == Pointers{});
  const auto& phones = reading.config.provision.phones;
  CHECK(phones.at(0).replaces == ReplacesMode::account);
  CHECK(phones.at(0).pickup_group.empty());
  CHECK(phones.at(1).replaces == ReplacesMode::own);
  CHECK(phones.at(1).pickup_group == "sales");
  CHECK(reading.config.parameters.pickup_code == "*8");
  CHECK(reading.config.parameters.pickup_code_is_last);
  for (const char* code : {"\"8a\"", "\"*12345678\"", "8"}) {
    CAPTURE(code);
    CHECK(pointers(read(R"("phones": [])", R"({"pickup_code": )" + std::string(code) + "}")) ==
          Pointers{"/parameters/pickup_code"});
  }
  CHECK(pointers(read(R"("phones": [{"number": "1", "password": "p", "account": "acme",
                                     "replaces": true}])")) ==
        Pointers{"/provision/phones/0/replaces"});
}

TEST_CASE("read_config: phones and gateways say what redirect servers are to them (I-03)") {
  const auto read_all = [](const std::string& gateway, const std::string& phone) {
    return read(
        R"("customer_gateways": [{"id": "c", "addresses": ["10.0.0.9"], "account": "acme")" +
        gateway + R"(}], "phones": [{"number": "1001", "password": "x", "account": "acme")" +
        phone + "}]");
  };
  const auto plain = read_all("", "");
  REQUIRE(plain.errors.empty());
  CHECK(plain.config.provision.customer_gateways[0].redirect_servers ==
        RedirectServers::as_vendors);
  CHECK(plain.config.provision.phones[0].redirect_servers == RedirectServers::as_vendors);
  CHECK(plain.config.provision.phones[0].called_redirect_servers == CalledRedirectServers::off);
  CHECK(config_warnings(plain.config).empty());
  const auto set = read_all(R"(, "redirect_servers": "only")",
                            R"(, "redirect_servers": "off", "called_redirect_servers": "offline")");
  REQUIRE(set.errors.empty());
  CHECK(set.config.provision.customer_gateways[0].redirect_servers == RedirectServers::only);
  CHECK(set.config.provision.phones[0].redirect_servers == RedirectServers::off);
  CHECK(set.config.provision.phones[0].called_redirect_servers == CalledRedirectServers::offline);
  // Nobody is there to be asked.
  const auto warnings = config_warnings(set.config);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].pointer == "/provision/customer_gateways/0/redirect_servers");
  CHECK(warnings[1].pointer == "/provision/phones/0/called_redirect_servers");
  const auto wrong = read_all("", R"(, "called_redirect_servers": "only")");
  CHECK(pointers(wrong) == Pointers{"/provision/phones/0/called_redirect_servers"});
}

TEST_CASE("read_config: a phone has its numbers looked up like a customer gateway (R-20)") {
  const std::string resolvers = R"("lrn_resolvers": [{"id": "db", "kind": "host"}], )";
  const auto phone = [](const std::string& lrn) {
    return R"("phones": [{"number": "1001", "password": "p", "account": "acme", "lrn": )" + lrn +
           "}]";
  };
  const ConfigReading reading =
      read(resolvers + phone(R"({"resolver": "db", "lrnEatPrefixLength": 2})"));
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(reading.config.provision.phones.at(0).lrn->resolver == "db");
  CHECK(reading.config.provision.phones.at(0).lrn->eat_prefix_length == 2);
  CHECK(pointers(read(resolvers + phone(R"({"resolver": "other"})"))) ==
        Pointers{"/provision/phones/0/lrn/resolver"});
  CHECK(pointers(read(phone("{}"))) == Pointers{"/provision/phones/0/lrn/resolver"});
}

TEST_CASE("read_config: what a phone cannot order is said with its place (T-02)") {
  const std::string head = R"("phones": [{"number": "1001", "password": "p", "account": "acme", )";
  const auto errors = [&](const std::string& forward) {
    return pointers(read(head + R"("forward": )" + forward + "}]"));
  };
  const std::string base = "/provision/phones/0/forward";
  CHECK(errors(R"({"busy": ["no number!"]})") == Pointers{base + "/busy/0"});
  CHECK(errors(R"({"busy": [{"ring_s": 5}]})") == Pointers{base + "/busy/0/number"});
  CHECK(errors(R"({"busy": [{"number": "1", "ring_s": 0}]})") == Pointers{base + "/busy/0/ring_s"});
  CHECK(errors(R"({"method": "at_once"})") == Pointers{base + "/method"});
  CHECK(errors(R"({"calendar": "none"})") == Pointers{base + "/calendar"});
  CHECK(errors(R"({"periods": [{"from": "08:00", "to": "08:00", "targets": ["1"]}]})") ==
        Pointers{base + "/periods/0"});
  CHECK(errors(R"({"periods": [{"from": "08:00"}]})") == Pointers{base + "/periods/0/targets"});
  CHECK(errors(R"({"busy": ["1","2","3","4","5","6","7","8","9"]})") == Pointers{base + "/busy"});
  CHECK(errors(R"({"always": "1"})") == Pointers{base + "/always"});
}

TEST_CASE("read_config: phones have their keys, lock and limits (P-05, R-14, T-16)") {
  const ConfigReading reading = read(R"("gateway_groups": [{"id": "g"}], "phones": [
    {"number": "1001", "password": "p", "account": "acme"},
    {"number": "1002", "dids": ["442071110000"], "password": "p", "account": "acme",
     "locked": "outgoing", "line_in": 1, "line_out": 2, "line_limit": 3, "call_level": "local",
     "rewrite_callee": "0:44", "called_rewrite_caller": ":9", "called_rewrite_callee": ":8",
     "sort": ["lowest_rate"], "vendor_groups": {"allow": ["g"]}, "min_profit_percent": 5,
     "max_price_per_s": "0.01", "max_call_s": 60, "calls_per_second": 2, "burst": 3,
     "offline_to_gateways": true, "memo": "front desk"},
    {"number": "1003", "password": "p", "account": "acme", "locked": true}])");
  REQUIRE(pointers(reading) == Pointers{});
  const auto& phones = reading.config.provision.phones;
  REQUIRE(phones.size() == 3);
  CHECK(phones[0].id == "1001");
  CHECK(phones[0].line_limit == -1);
  CHECK(phones[0].locked == PhoneLock::none);
  CHECK_FALSE(phones[0].offline_to_gateways);
  const PhoneConfig& full = phones[1];
  CHECK(full.dids == std::vector<std::string>{"442071110000"});
  CHECK(full.locked == PhoneLock::outgoing);
  CHECK(full.line_in == 1);
  CHECK(full.line_out == 2);
  CHECK(full.line_limit == 3);
  CHECK(full.call_level == CallLevel::local);
  CHECK(full.sort == std::vector{RoutePolicy::lowest_rate});
  CHECK(full.vendor_groups_allow == std::vector<std::string>{"g"});
  CHECK(full.min_profit_hundredths == 500);
  CHECK(full.max_call_s == 60);
  CHECK(full.offline_to_gateways == true);
  CHECK(phones[2].locked == PhoneLock::both);
}

TEST_CASE("read_config: what is wrong with phones is said at its place (P-05)") {
  CHECK(pointers(read(R"("phones": [{"number": "1001"}])")) ==
        Pointers{"/provision/phones/0/account", "/provision/phones/0/password"});
  CHECK(pointers(read(R"("phones": [
    {"number": "1001", "dids": ["1002"], "password": "p", "account": "acme"},
    {"number": "1002", "dids": ["1003", "1003"], "password": "p", "account": "nobody"}])")) ==
        Pointers{"/provision/phones/1/account", "/provision/phones/1/dids/1",
                 "/provision/phones/1/number"});
  CHECK(pointers(read(R"("phones": [{"number": "10 01", "password": "p", "account": "acme",
    "locked": "sometimes", "mailbox": {}, "vendor_groups": {"allow": ["g"], "deny": ["g"]}}])")) ==
        Pointers{"/provision/phones/0/locked", "/provision/phones/0/mailbox",
                 "/provision/phones/0/number", "/provision/phones/0/vendor_groups",
                 "/provision/phones/0/vendor_groups/allow/0",
                 "/provision/phones/0/vendor_groups/deny/0"});
}

TEST_CASE(
    "read_config: a gateway that registers has credentials of its own and no address (P-05)") {
  CHECK(pointers(read(R"("customer_gateways": [
    {"id": "a", "registration": "dynamic", "auth": {"username": "u", "password": "p"}}],
    "vendor_gateways": [
    {"id": "a", "registration": "dynamic", "auth": {"username": "u", "password": "p"}},
    {"id": "b", "registration": "outbound", "addresses": ["127.0.0.9"],
     "auth": {"username": "u", "password": "x"}}])")) == Pointers{});
  CHECK(pointers(read(R"("customer_gateways": [
    {"id": "a", "registration": "dynamic", "addresses": ["127.0.0.2"]},
    {"id": "b"},
    {"id": "c", "registration": "outbound", "addresses": ["127.0.0.2"],
     "auth": {"username": "u", "password": "p"}},
    {"id": "phone:7", "addresses": ["127.0.0.2"]}])")) ==
        Pointers{"/provision/customer_gateways/0/addresses", "/provision/customer_gateways/0/auth",
                 "/provision/customer_gateways/1/addresses",
                 "/provision/customer_gateways/2/registration",
                 "/provision/customer_gateways/3/id"});
  CHECK(pointers(read(R"("phones": [{"number": "1001", "password": "p", "account": "acme"}],
    "vendor_gateways": [
    {"id": "a", "registration": "dynamic", "auth": {"username": "u", "password": "p"}},
    {"id": "b", "registration": "dynamic", "auth": {"username": "u", "password": "p"}},
    {"id": "c", "registration": "dynamic", "auth": {"username": "1001", "password": "p"},
     "options_check": true}])")) == Pointers{"/provision/phones/0/number",
                                             "/provision/vendor_gateways/1/auth/username",
                                             "/provision/vendor_gateways/2/options_check"});
}

TEST_CASE("read_config: a phone book of short numbers, and what a phone shows of it (T-14, T-15)") {
  const auto with_book = [](const std::string& book) {
    return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "provision": {
      "accounts": [{"id": "acme", "phone_book": )" +
                           book + R"(}], "phones": [
      {"number": "1001", "password": "p", "account": "acme", "short_callers": true,
       "ring_tone": "tone:ringback/us"}, {"number": "1002", "password": "p", "account": "acme"}]}})",
                       ".");
  };
  const ConfigReading reading = with_book(R"({"21": "1002", "*22": "442071110000"})");
  REQUIRE(pointers(reading) == Pointers{});
  const auto& book = reading.config.provision.accounts.at(0).phone_book;
  REQUIRE(book.size() == 2);
  CHECK(book[0].short_number == "21");
  CHECK(book[0].number == "1002");
  CHECK(book[1].short_number == "*22");
  const auto& phones = reading.config.provision.phones;
  CHECK(phones.at(0).shows_short_callers);
  CHECK(phones.at(0).ring_tone == "tone:ringback/us");
  CHECK_FALSE(phones.at(1).shows_short_callers);
  const std::string place = "/provision/accounts/0/phone_book";
  CHECK(pointers(with_book("[]")) == Pointers{place});
  CHECK(pointers(with_book(R"({"bad one": "1", "3": "bad too"})")) ==
        Pointers{place + "/3", place + "/bad one"});
}

TEST_CASE("read_config: parameters of registration by both their names (P-05, S-08, S-09, R-25)") {
  const ConfigReading defaults = read(R"("phones": [])");
  const Parameters& d = defaults.config.parameters;
  CHECK(d.registration_expires_s == 3600);
  CHECK(d.auth_failures == 6);
  CHECK(d.auth_suspend);
  CHECK(d.auth_suspend_s == 180);
  CHECK(d.phone_contacts == 1);
  const ConfigReading reading = read(R"("phones": [])", R"({
    "SS_ENDPOINT_EXPIRE": 600, "SS_ENDPOINTREGISTERRETRY": 3, "SS_ENDPOINTREGISTERSUSPEND": "Off",
    "SS_ENDPOINTREGISTERSUSPENDTIME": 60, "phone_contacts": 4, "register_per_source": 5,
    "register_burst": 9, "register_total": 70, "offline_to_gateways": true,
    "no_billing_to_phones": true, "SS_SIP_USER_AGENT_EXPIRE": 120,
    "SS_SIP_USER_AGENT_RETRY_DELAY": 30})");
  REQUIRE(pointers(reading) == Pointers{});
  const Parameters& p = reading.config.parameters;
  CHECK(p.registration_expires_s == 600);
  CHECK(p.auth_failures == 3);
  CHECK_FALSE(p.auth_suspend);
  CHECK(p.auth_suspend_s == 60);
  CHECK(p.phone_contacts == 4);
  CHECK(p.register_per_source == 5);
  CHECK(p.register_burst == 9);
  CHECK(p.register_total == 70);
  CHECK(p.offline_to_gateways);
  CHECK(p.no_billing_to_phones);
  CHECK(p.outbound_expires_s == 120);
  CHECK(p.outbound_retry_s == 30);
  CHECK(read(R"("phones": [])", R"({"SS_AUTHENTICATION_MAX_RETRY": 9})")
            .config.parameters.auth_failures == 9);
}
