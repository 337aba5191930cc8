#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "switch/config_check.hpp"
#include "tandem/config.hpp"
#include "tandem/package_calls.hpp"
#include "unit/switch/config_errors.hpp"

using namespace tandem;

namespace {

ConfigReading read(const std::string& provision, const std::string& parameters = "") {
  return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "parameters": {)" + parameters +
                         R"(}, "provision": {)" + provision + "}}",
                     ".");
}

constexpr const char* whole = R"(
  "calendars": [{"id": "c"}],
  "accounts": [{"id": "acme", "monthly_money_minimum": "5", "monthly_money_maximum": "50.5",
                "monthly_rent_fee": "2"}],
  "packages": [{"id": "p", "rent_type": 1, "rent_period": 3, "nonholonomic_order": true,
                "rent_fee": "10.00", "min_consumption": "1", "lower_consumption": "2",
                "gift_money": "3", "calendar": "c", "timezone": "UTC", "memo": "m",
                "gift_times": [{"prefixes": ["44", "1"], "begin": "20:00", "to": "07:00",
                                "seconds": 600, "billing_cycle": 60}],
                "period_rates": [{"prefix": "44", "days": "sat,sun", "from": "08:00", "end": "20:00",
                                  "fee": "0.06", "period": 30}]}],
  "package_orders": [{"id": "o", "package": "p", "account": "acme",
                      "available_time": "2026-02-28", "expire_time": "2027-01-01T00:00:00Z",
                      "priority": 7, "rent_percent": 90, "failed_process_mode": 1}])";

}  // namespace

TEST_CASE(
    "Config: packages, orders and monthly rules have the names of the reference (B-18, "
    "B-20..B-24)") {
  const ConfigReading reading = read(whole);
  for (const ConfigError& error : reading.errors)
    MESSAGE(error.pointer << ": " << error.message);
  REQUIRE(reading.errors.empty());
  const Provision& provision = reading.config.provision;
  const PackageConfig& package = provision.packages.at(0);
  CHECK(package.rent_type == RentType::month);
  CHECK(package.rent_period == 3);
  CHECK(package.nonholonomic_order);
  CHECK(package.rent_fee.to_string() == "10.00");
  CHECK(package.gift_times.at(0).prefixes == Pointers{"44", "1"});
  CHECK(package.gift_times[0].from_s == 20 * 3600);
  CHECK(package.gift_times[0].cycle_s == 60);
  CHECK(package.period_rates.at(0).per_s == 30);
  CHECK(package.period_rates[0].next_s == 30);
  CHECK(package.period_rates[0].to_s == 20 * 3600);
  CHECK_FALSE(package.split_windows);
  const PackageOrder& order = provision.package_orders.at(0);
  CHECK(order.available_day == 20'512);
  CHECK(order.priority == 7);
  CHECK(order.rent_percent == 90);
  CHECK(order.failed_process_mode == RentFailure::await_period);
  CHECK(provision.accounts.at(0).monthly.maximum.to_string() == "50.50");
}

TEST_CASE("Config: what is wrong with packages is named where it stands (B-20, B-21)") {
  CHECK(pointers(read(R"("package_orders": [{"id": "o", "package": "p", "account": "a"}])")) ==
        Pointers{"/provision/package_orders/0/account", "/provision/package_orders/0/package"});
  CHECK(pointers(read(R"("accounts": [{"id": "a"}], "packages": [{"id": "p"}],
    "package_orders": [{"id": "o", "package": "p", "account": "a", "phone": "1000"}])")) ==
        Pointers{"/provision/package_orders/0/phone"});
  CHECK(pointers(read(R"("accounts": [{"id": "a", "kind": "clearing"}], "packages": [{"id": "p"}],
    "package_orders": [{"id": "o", "package": "p", "account": "a"}])")) ==
        Pointers{"/provision/package_orders/0/account"});
  CHECK(pointers(read(R"("accounts": [{"id": "a", "kind": "agent"}], "packages": [{"id": "p"}],
    "package_orders": [{"id": "o", "package": "p", "account": "a"}])"))
            .empty());  // B-17
  CHECK(pointers(read(R"("accounts": [{"id": "a"}], "packages": [{"id": "p", "rent_type": "year"}],
    "package_orders": [{"id": "o", "package": "p", "account": "a", "failed_process_mode": "period"}])")) ==
        Pointers{"/provision/package_orders/0"});
  CHECK(
      pointers(read(
          R"("packages": [{"id": "p", "rent_fee": "-1", "gift_times": [{"prefixes": ["x y"]}]}])")) ==
      Pointers{"/provision/packages/0/gift_times/0/prefixes/0",
               "/provision/packages/0/gift_times/0/seconds", "/provision/packages/0/rent_fee"});
}

TEST_CASE("Config: a package that splits calls has at most 32 rates for a number (B-24)") {
  std::string rates;
  for (int i = 0; i < 33; ++i)
    rates += std::string(i == 0 ? "" : ",") + R"({"prefix": "44", "price": "0.01"})";
  const auto packages = [&](const char* is_split) {
    return read(R"("packages": [{"id": "p", "split_windows": )" + std::string(is_split) +
                R"(, "period_rates": [)" + rates + "]}]");
  };
  CHECK(packages("false").errors.empty());
  const ConfigReading split = packages("true");
  REQUIRE(split.errors.size() == 1);
  CHECK(split.errors[0].pointer == "/provision/packages/0");
  CHECK(split.errors[0].message == "number of split period_rates for 44 was 33, not 0..32");
}

TEST_CASE("Config: an order is of an account or of a phone, whose account pays (B-18, B-21)") {
  const std::string objects =
      R"("accounts": [{"id": "a"}, {"id": "b"}, {"id": "v", "kind": "clearing"}],
    "packages": [{"id": "p"}], "phones": [{"number": "1001", "password": "x", "account": "a",
      "monthly_money_minimum": "1", "monthly_money_maximum": "20", "monthly_rent_fee": "2"}],
    "package_orders": [{"id": "o", "package": "p")";
  const ConfigReading reading = read(objects + R"(, "phone": "1001"}])");
  REQUIRE(reading.errors.empty());
  CHECK(reading.config.provision.package_orders.at(0).phone == "1001");
  const MonthlyRules& monthly = reading.config.provision.phones.at(0).monthly;
  CHECK(monthly == MonthlyRules{Amount::parse("1").value(), Amount::parse("20").value(),
                                Amount::parse("2").value()});
  CHECK(read(objects + R"(, "phone": "1001", "account": "a"}])").errors.empty());
  const Pointers account = {"/provision/package_orders/0/account"};
  CHECK(pointers(read(objects + R"(, "phone": "1001", "account": "b"}])")) == account);
  CHECK(pointers(read(objects + R"(}])")) == account);
  CHECK(pointers(read(objects + R"(, "phone": "1002"}])")) ==
        Pointers{"/provision/package_orders/0/phone"});
  CHECK(
      pointers(read(R"("accounts": [{"id": "v", "kind": "clearing"}], "phones": [{"number": "1001",
      "password": "x", "account": "v", "monthly_rent_fee": "2"}])")) ==
      Pointers{"/provision/phones/0/account"});
}

TEST_CASE("Config: a number is bound to one account, a card has no overdraft (B-02, B-04)") {
  const ConfigReading reading = read(
      R"("accounts": [{"id": "c", "kind": "card", "bound_numbers": ["1000", "1001"]}],
         "customer_gateways": [{"id": "g", "addresses": ["10.0.0.1"], "use_bound_numbers": true}],
         "phones": [{"number": "7", "password": "x", "account": "c", "pays_when_called": true}])");
  REQUIRE(reading.errors.empty());
  const Provision& provision = reading.config.provision;
  CHECK(provision.accounts.at(0).kind == AccountKind::card);
  CHECK(provision.accounts[0].bound_numbers == Pointers{"1000", "1001"});
  CHECK(provision.customer_gateways.at(0).uses_bound_numbers);
  CHECK(provision.phones.at(0).pays_when_called);
  CHECK(pointers(read(R"("accounts": [{"id": "a", "bound_numbers": ["1", "2"]},
                                      {"id": "b", "bound_numbers": ["3", "2"]}])")) ==
        Pointers{"/provision/accounts/1/bound_numbers/1"});
  CHECK(pointers(read(R"("accounts": [{"id": "a", "kind": "clearing", "bound_numbers": ["1"]},
                                      {"id": "b", "kind": "card", "overdraft_limit": "1"}])")) ==
        Pointers{"/provision/accounts/0/bound_numbers", "/provision/accounts/1/overdraft_limit"});
}

TEST_CASE("Config: ids of monthly rules can be told from what stands behind them (B-18)") {
  CHECK(pointers(read(R"("accounts": [{"id": "a;b", "monthly_rent_fee": "1"}])")) ==
        Pointers{"/provision/accounts/0/id"});
  CHECK(pointers(read(R"("accounts": [{"id": "a;b"}], "phones": [{"number": "1001",
        "password": "x", "account": "a;b", "monthly_rent_fee": "1"}])")) ==
        Pointers{"/provision/phones/0/account"});
  CHECK(read(R"("accounts": [{"id": "a;b"}])").errors.empty());
  // The reader takes no bar in an id, a host that gives structures could have one.
  ConfigReading reading = read(R"("accounts": [{"id": "a", "monthly_rent_fee": "1"}])");
  reading.config.provision.accounts.at(0).id = "a|b";
  check_config(reading.config, reading.errors);
  CHECK(pointers(reading) == Pointers{"/provision/accounts/0/id"});
}

TEST_CASE("Config: a clearing account pays for no calls to a phone (B-04)") {
  const auto with = [](const std::string& kind, const std::string& pays) {
    return pointers(read(R"("accounts": [{"id": "a", "kind": ")" + kind +
                         R"("}], "phones": [{"number": "1001", "password": "x", "account": "a",
                         "pays_when_called": )" +
                         pays + "}]"));
  };
  CHECK(with("clearing", "true") == Pointers{"/provision/phones/0/pays_when_called"});
  CHECK(with("clearing", "false").empty());
  CHECK(with("customer", "true").empty());
  CHECK(with("agent", "true").empty());
}

TEST_CASE("Config: each of many orders finds the account of its own phone (B-21)") {
  std::string phones, orders;
  for (int i = 0; i < 2'000; ++i) {
    const std::string number = std::to_string(10'000 + i);
    const std::string account = i % 2 == 0 ? "a" : "b";
    phones += std::string(i == 0 ? "" : ", ") + R"({"number": ")" + number +
              R"(", "password": "x", "account": ")" + account + R"("})";
    orders += std::string(i == 0 ? "" : ", ") + R"({"id": "o)" + number +
              R"(", "package": "p", "phone": ")" + number + R"(", "account": ")" +
              (i == 1'999 ? "a" : account) + R"("})";
  }
  CHECK(pointers(read(R"("accounts": [{"id": "a"}, {"id": "b"}], "packages": [{"id": "p"}],
                         "phones": [)" +
                      phones + R"(], "package_orders": [)" + orders + "]")) ==
        Pointers{"/provision/package_orders/1999/account"});
}

TEST_CASE("Config: route prefixes and longest calls may be lists (B-12, B-14, B-16)") {
  const ConfigReading reading = read(
      R"("vendor_gateways": [{"id": "v", "addresses": ["10.0.0.1"], "max_call_s": [60, 90],
         "clearing_account_use_callout_e164": true}, {"id": "w", "addresses": ["10.0.0.2"], "max_call_s": 30}])",
      R"("SERVER_GATEWAY_ROUTE_PREFIX": "99, 8#")");
  REQUIRE(reading.errors.empty());
  const Provision& provision = reading.config.provision;
  CHECK(provision.vendor_gateways.at(0).max_call_s == MaxCallDuration{60, 90});
  CHECK(provision.vendor_gateways[0].clearing_account_use_callout_e164);
  CHECK(provision.vendor_gateways.at(1).max_call_s == MaxCallDuration{30, 30});
  CHECK(reading.config.parameters.gateway_route_prefix.prefixes == Pointers{"99", "8#"});
  CHECK(
      read("", R"("gateway_route_prefix": 3)").config.parameters.gateway_route_prefix.characters ==
      3);
  CHECK(pointers(read("", R"("gateway_route_prefix": 32)")) ==
        Pointers{"/parameters/gateway_route_prefix"});
  CHECK(pointers(read(
            R"("vendor_gateways": [{"id": "v", "addresses": ["10.0.0.1"], "max_call_s": [9, 3]},
    {"id": "w", "addresses": ["10.0.0.2"], "max_call_s": [0, 3]}])")) ==
        Pointers{"/provision/vendor_gateways/0/max_call_s",
                 "/provision/vendor_gateways/1/max_call_s"});
}

TEST_CASE("Packages: a book takes the objects of a configuration alone (B-20)") {
  PackageBook book;
  CHECK(provision_packages(book, std::string("{") + whole + R"(, "timezone": "Europe/Berlin"})")
            .ok());
  CHECK_FALSE(provision_packages(book, R"({"gateways": []})").ok());
  CHECK_FALSE(provision_packages(book, "[]").ok());
  const auto refused = provision_packages(book, R"({"packages": [{"id": "p", "rent_period": 0}]})");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("/packages/0/rent_period") == 0);
  CHECK(book.find("acme"));
}
