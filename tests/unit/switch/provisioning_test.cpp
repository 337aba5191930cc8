#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "switch/provision_store_sqlite.hpp"
#include "tandem/provision.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t far_us = 4'000'000'000'000'000;  // the year 2096

/// The objects of a configuration file on a folder of its own.
struct Fixture {
  cdr::test::TemporaryFolder folder;
  SwitchConfig config;
  std::optional<Provisioning> objects;

  Fixture() {
    config = read(R"(
      "accounts": [{"id": "acme", "balance": "5.00", "rate_deck": "retail", "memo": "of the file"}],
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
      "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.2"], "account": "acme"}],
      "vendor_gateways": [{"id": "v1", "addresses": ["127.0.0.1"], "prefixes": ["44"]}])");
    open();
  }
  SwitchConfig read(const std::string& lists) const {
    ConfigReading reading =
        read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "provision": {)" + lists + "}}",
                    folder.path());
    REQUIRE(reading.errors.empty());
    return std::move(reading.config);
  }
  void open() {
    objects.reset();
    auto opened = Provisioning::open(config);
    if (!opened) FAIL(opened.error().message);
    objects.emplace(std::move(*opened));
  }
  ProvisionOutcome put(const std::string& kind, const std::string& id, const std::string& json) {
    ProvisionChange change;
    change.puts.push_back({kind, id, json, std::nullopt});
    return objects->change(change);
  }
  ProvisionOutcome put_rates(const std::string& deck, const std::string& csv,
                             std::optional<std::int64_t> valid_from_us = {}) {
    ProvisionChange change;
    change.puts.push_back({"rate_decks", deck, "", csv});
    change.valid_from_us = valid_from_us;
    return objects->change(change);
  }
  ProvisionOutcome remove(const std::string& kind, const std::string& id) {
    ProvisionChange change;
    change.removals.push_back({kind, id});
    return objects->change(change);
  }
  std::string ids(const std::string& kind) {
    std::string all;
    const auto found = objects->objects(kind).value();
    for (const auto& object : found)
      all += object.id + " ";
    return all;
  }
  /// Numbers of the versions of "retail", the active one with a '*', planned ones with a '+'.
  std::string versions() {
    std::string all;
    const auto found = objects->deck_versions("retail").value();
    for (const DeckVersion& version : found) {
      all += std::to_string(version.number) + (version.is_active ? "*" : "") +
             (version.due_at_us != 0 ? "+ " : " ");
    }
    return all;
  }
  std::string price() { return objects->rates_csv("retail").value(); }
  /// The file with another price at "44"; takes effect with open().
  void price_in_file(const std::string& price) {
    Rate& rate = config.provision.rate_decks.at(0).rates.at(0);
    rate.price = Amount::parse(price).value();
  }
  /// The price at "44" of what a switch that starts now would run, asked beside the database.
  std::string price_at_start() {
    const SwitchConfig started = with_stored_objects(config).value();
    return started.provision.rate_decks.at(0).built.value().at(0).price.to_string();
  }
  /// Lets the time of a planned version of "retail" pass while nobody has the database open.
  void let_pass_while_closed(std::uint64_t number) {
    objects.reset();
    ProvisionStore::Batch batch;
    batch.plans.push_back({"retail", number, 1});
    auto store = ProvisionStore::open(config.path(config.database)).value();
    REQUIRE(store->write(batch).ok());
  }
};

std::string only_fault(const ProvisionOutcome& outcome) {
  REQUIRE(outcome.faults.size() == 1);
  return outcome.faults[0].pointer + ": " + outcome.faults[0].message;
}

const std::string csv_a = "prefix,price\n44,0.50\n";
const std::string csv_b = "prefix,price\n44,0.40\n49,0.10\n";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "Provisioning: what is put is there, and after a restart too (I-07)") {
  const auto made = put("vendor_gateways", "v2", R"({"addresses": ["127.0.0.3"], "memo": "mine"})");
  CHECK(made.faults.empty());
  CHECK(made.created == 1);
  CHECK(put("vendor_gateways", "v2", R"({"id": "v2", "addresses": ["127.0.0.4"]})").replaced == 1);
  CHECK(ids("vendor_gateways") == "v1 v2 ");
  open();
  CHECK(ids("vendor_gateways") == "v1 v2 ");
  CHECK(objects->object("vendor_gateways", "v2").value().json ==
        R"({"id":"v2","addresses":["127.0.0.4"]})");
  CHECK(objects->object("vendor_gateways", "v3").error().code == ErrorCode::not_found);
  CHECK(objects->objects("planets").error().code == ErrorCode::not_found);
  const SwitchConfig started = with_stored_objects(config).value();
  CHECK(started.provision.vendor_gateways.size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "Provisioning: the objects of the file are laid over those that are stored") {
  CHECK(put("accounts", "acme", R"({"rate_deck": "retail", "locked": true})").replaced == 1);
  CHECK(put("accounts", "other", R"({"balance": "1.00"})").created == 1);
  CHECK(objects->object("accounts", "acme").value().json.find("of the file") == std::string::npos);
  open();
  CHECK(objects->object("accounts", "acme").value().json.find("of the file") != std::string::npos);
  CHECK(ids("accounts") == "acme other ");
}

TEST_CASE_FIXTURE(Fixture,
                  "Provisioning: what is wrong is told with a pointer, and nothing changes") {
  CHECK(only_fault(put("accounts", "x", R"({"balance": 5})")).starts_with("/balance: "));
  CHECK(only_fault(put("accounts", "x", R"({"colour": "red"})")).starts_with("/colour: "));
  CHECK(only_fault(put("accounts", "x", R"({"id": "y"})")).starts_with("/id: "));
  CHECK(only_fault(put("accounts", "x y", "{}")).starts_with("/id: "));
  CHECK(only_fault(put("accounts", "x", "{")).starts_with(": text is no JSON"));
  CHECK(only_fault(put("accounts", "x", "[]")) == ": text is no JSON object");
  CHECK(only_fault(put("accounts", "x", R"({"memo": "a", "memo": "b"})")).find("twice") !=
        std::string::npos);
  CHECK(only_fault(put("accounts", "x", R"({"rate_deck": "none"})")) ==
        "/rate_deck: no rate deck \"none\"");
  CHECK(only_fault(put("vendor_gateways", "x", "{}")) == "/addresses: missing \"addresses\"");
  CHECK(only_fault(put("vendor_gateways", "x", R"({"addresses": ["127.0.0.0/8"]})"))
            .starts_with("/addresses/0: "));
  CHECK(only_fault(put("rate_decks", "x", R"({"rates": [{"prefix": "4", "price": "-1"}]})"))
            .starts_with("/rates/0"));
  CHECK(only_fault(put("rate_decks", "x", R"({"file": "/etc/passwd"})")).starts_with("/file: "));
  CHECK(only_fault(put("accounts", "acme", R"({"currency": "EUR"})")).starts_with("/currency: "));
  CHECK(put("planets", "x", "{}").faults.at(0).code == ErrorCode::not_found);
  CHECK(ids("accounts") == "acme ");
  CHECK(ids("rate_decks") == "retail ");
}

TEST_CASE_FIXTURE(Fixture, "Provisioning: what is referred to stays, and the referrer is named") {
  const auto refused = remove("accounts", "acme");
  CHECK(only_fault(refused) ==
        ": customer_gateways \"cust\" at /account would be wrong: no account \"acme\"");
  CHECK(refused.faults[0].code == ErrorCode::wrong_state);
  CHECK(remove("rate_decks", "retail").faults.at(0).code == ErrorCode::wrong_state);
  CHECK(remove("accounts", "nobody").faults.at(0).code == ErrorCode::not_found);
  // A change of a deck's currency would break the account that uses it.
  const auto deck = put("rate_decks", "retail", R"({"currency": "EUR", "rates": []})");
  CHECK(deck.faults.at(0).code == ErrorCode::wrong_state);
  CHECK(remove("vendor_gateways", "v1").removed == 1);
  CHECK(ids("vendor_gateways").empty());
  CHECK(put("accounts", "new", "{}").created == 1);
  CHECK(remove("accounts", "new").faults.empty());
  open();
  CHECK(ids("accounts") == "acme ");
}

TEST_CASE_FIXTURE(Fixture,
                  "Provisioning: a phone with orders stays with accounts of its currency (B-21)") {
  const auto phone_of = [](const std::string& account, const std::string& more = "") {
    return R"({"number": "1001", "password": "x", "account": ")" + account + "\"" + more + "}";
  };
  const std::string rules = R"(, "monthly_rent_fee": "2")";
  REQUIRE(put("accounts", "usd", "{}").faults.empty());
  REQUIRE(put("accounts", "jpy", R"({"currency": "JPY"})").faults.empty());
  REQUIRE(put("packages", "p", R"({"rent_fee": "2000"})").faults.empty());
  REQUIRE(put("phones", "1001", phone_of("jpy")).faults.empty());
  CHECK(put("phones", "1001", phone_of("acme")).faults.empty());  // it has nothing
  REQUIRE(put("phones", "1001", phone_of("jpy")).faults.empty());

  REQUIRE(put("package_orders", "o", R"({"package": "p", "phone": "1001"})").faults.empty());
  const auto refused = put("phones", "1001", phone_of("acme"));
  CHECK(only_fault(refused) ==
        "/account: phone \"1001\" has package orders in JPY and account \"acme\" is in USD");
  CHECK(refused.faults[0].code == ErrorCode::invalid_argument);
  CHECK(objects->object("phones", "1001").value().json.find("jpy") != std::string::npos);
  REQUIRE(remove("package_orders", "o").removed == 1);
  CHECK(put("phones", "1001", phone_of("acme", rules)).faults.empty());  // they are new
  CHECK(only_fault(put("phones", "1001", phone_of("jpy", rules))) ==
        "/account: phone \"1001\" has monthly rules in USD and account \"jpy\" is in JPY");
  CHECK(put("phones", "1001", phone_of("usd", rules)).faults.empty());
  CHECK(put("phones", "1001", phone_of("jpy")).faults.empty());
}

TEST_CASE_FIXTURE(Fixture, "Provisioning: every list of the configuration goes the same way") {
  CHECK(put("number_groups", "callers", R"({"numbers": ["4420"]})").created == 1);
  CHECK(put("vendor_gateways", "v2",
            R"({"addresses": ["127.0.0.3"], "caller_pool": {"numbers": "callers"}})")
            .created == 1);
  CHECK(only_fault(remove("number_groups", "callers")).find("vendor_gateways \"v2\" at ") !=
        std::string::npos);
  CHECK(put("calendars", "uk", R"({"timezone": "Europe/London"})").created == 1);
  CHECK(put("gateway_groups", "g", R"({"members": [{"gateway": "v1"}]})").created == 1);
  CHECK(put("number_transforms", "", R"({"number": "4420", "vendor_callee": "0044"})").created ==
        1);
  CHECK(put("number_transforms", "", R"({"vendor_callee": "0044"})").faults.at(0).pointer ==
        "/number");
  open();
  CHECK(ids("number_transforms") == "4420 ");
  CHECK(ids("gateway_groups") == "g ");
  CHECK(remove("vendor_gateways", "v2").faults.empty());
  CHECK(remove("number_groups", "callers").faults.empty());
  CHECK(remove("number_transforms", "4420").removed == 1);
  for (const std::string& kind : provision_kinds())
    CHECK(objects->objects(kind).ok());
}

TEST_CASE_FIXTURE(Fixture, "Provisioning: many changes are made together or not at all") {
  ProvisionChange change;
  change.puts.push_back({"accounts", "a", "{}", std::nullopt});
  change.puts.push_back({"accounts", "b", R"({"balance": "x"})", std::nullopt});
  change.puts.push_back({"accounts", "a", "{}", std::nullopt});
  const auto refused = objects->change(change);
  REQUIRE(refused.faults.size() == 2);
  CHECK(refused.faults[0].index == 1);
  CHECK(refused.faults[1].index == 2);
  CHECK(ids("accounts") == "acme ");
  change.puts.resize(1);
  change.puts.push_back(
      {"customer_gateways", "c", R"({"addresses": ["10.0.0.9"], "account": "a"})", {}});
  change.dry_run = true;
  CHECK(objects->change(change).created == 2);
  CHECK(ids("accounts") == "acme ");
  change.dry_run = false;
  change.removals.push_back({"vendor_gateways", "v1"});
  const auto done = objects->change(change);
  CHECK(done.faults.empty());
  CHECK(done.created == 2);
  CHECK(done.removed == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "Provisioning: while somebody works on the database no switch runs on it") {
  CHECK(Provisioning::open(config).error().code == ErrorCode::wrong_state);
  objects.reset();
  CHECK(Provisioning::open(config).ok());
}

TEST_CASE_FIXTURE(Fixture, "Provisioning: a stored object that no longer fits is named") {
  config = read(R"("accounts": [{"id": "acme"}, {"id": "gone"}])");
  open();
  CHECK(
      put("vendor_gateways", "v9", R"({"addresses": ["127.0.0.9"], "account": "gone"})").created ==
      1);
  objects.reset();
  config = read(R"("accounts": [{"id": "acme"}])");
  const auto opened = Provisioning::open(config);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::invalid_argument);
  CHECK(opened.error().message.find("no account \"gone\"") != std::string::npos);
  CHECK_FALSE(with_stored_objects(config).ok());
}

TEST_CASE_FIXTURE(Fixture,
                  "Deck versions: each content that is put is one, and the file's comes first") {
  CHECK(versions().empty());
  CHECK(put_rates("retail", csv_a).replaced == 1);
  CHECK(versions() == "2* 1 ");
  CHECK(put_rates("retail", csv_a).faults.empty());  // the same again
  CHECK(versions() == "2* 1 ");
  CHECK(put("rate_decks", "retail",
            R"({"memo": "by hand", "rates": [{"prefix": "44", "price": "0.40"}]})")
            .faults.empty());
  CHECK(versions() == "3* 2 1 ");
  const auto all = objects->deck_versions("retail").value();
  CHECK(all[0].memo == "by hand");
  CHECK(all[0].rows == 1);
  CHECK(all[0].digest.size() == 64);
  CHECK(all[0].digest != all[1].digest);
  CHECK(objects->deck_versions("none").error().code == ErrorCode::not_found);
  CHECK(put_rates("retail", "prefix,price\n44,x\n").faults.at(0).message.find("row 2") !=
        std::string::npos);
  CHECK(only_fault(put("rate_decks", "retail", "{}")).starts_with("/rates: "));
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: a rollback makes an earlier one active at once") {
  const std::string before = price();
  CHECK(put_rates("retail", csv_a).faults.empty());
  const std::string first = price();
  CHECK(put_rates("retail", csv_b).faults.empty());
  CHECK(objects->roll_back_deck("retail", std::nullopt).value().number == 2);
  CHECK(price() == first);
  CHECK(versions() == "3 2* 1 ");
  CHECK(objects->roll_back_deck("retail", std::nullopt).value().number == 1);
  CHECK(price() == before);
  CHECK(objects->roll_back_deck("retail", std::nullopt).error().code == ErrorCode::not_found);
  CHECK(objects->roll_back_deck("retail", 3).value().is_active);
  CHECK(objects->roll_back_deck("retail", 9).error().code == ErrorCode::not_found);
  config.provision.rate_decks.clear();  // so that the file does not go before
  config.provision.accounts.clear();
  config.provision.customer_gateways.clear();
  open();
  CHECK(versions() == "3* 2 1 ");
  CHECK(price().find("0.40") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: a difference lists what is added, removed and changed") {
  CHECK(put_rates("retail", csv_a).faults.empty());
  CHECK(put_rates("retail", csv_b).faults.empty());
  const std::string diff = objects->deck_diff("retail", 2, 3).value();
  CHECK(diff.find(R"("added":[{"prefix":"49","price":"0.10")") != std::string::npos);
  CHECK(diff.find(R"("removed":[])") != std::string::npos);
  CHECK(diff.find(R"("changed":[{"prefix":"44","from":{"prefix":"44","price":"0.50")") !=
        std::string::npos);
  const std::string back = objects->deck_diff("retail", 3, 2, 0).value();
  CHECK(back.find(R"("removed":[])") != std::string::npos);
  CHECK(back.find(R"("counts":{"added":0,"removed":1,"changed":1})") != std::string::npos);
  CHECK(objects->deck_diff("retail", 2, 9).error().code == ErrorCode::not_found);
  CHECK(objects->deck_diff("retail", 2, 3, deck_diff_rows_max + 1).error().code ==
        ErrorCode::invalid_argument);
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: a planned one changes nothing until its time") {
  CHECK(put_rates("retail", csv_a).faults.empty());
  CHECK(put_rates("retail", csv_b, far_us).faults.empty());
  CHECK(versions() == "3+ 2* 1 ");
  CHECK(price().find("0.50") != std::string::npos);
  CHECK(objects->schedule_deck("retail", 3, std::nullopt).value().due_at_us == 0);
  CHECK(objects->schedule_deck("retail", 1, far_us).value().due_at_us == far_us);
  CHECK(objects->schedule_deck("retail", 2, far_us).error().code == ErrorCode::wrong_state);
  CHECK(objects->schedule_deck("retail", 3, 1).value().is_active);  // the time is over
  CHECK(versions() == "3* 2 1+ ");
  CHECK(put_rates("fresh", csv_a, far_us).faults.at(0).code == ErrorCode::invalid_argument);
  for (int i = 0; i < 7; ++i)
    CHECK(put_rates("retail", "prefix,price\n1,0.0" + std::to_string(i) + "\n", far_us)
              .faults.empty());
  CHECK(put_rates("retail", "prefix,price\n2,0.1\n", far_us).faults.at(0).code == ErrorCode::limit);
}

TEST_CASE_FIXTURE(Fixture,
                  "Deck versions: what is put stays until the file has other rates (B-19)") {
  CHECK(put_rates("retail", csv_a).faults.empty());
  CHECK(price_at_start() == "0.50");
  open();
  CHECK(versions() == "2* 1 ");
  CHECK(price().find("0.50") != std::string::npos);
  price_in_file("0.70");
  CHECK(price_at_start() == "0.70");
  open();
  CHECK(versions() == "3* 2 1 ");
  CHECK(price().find("0.70") != std::string::npos);
  CHECK(objects->roll_back_deck("retail", 2).ok());
  open();
  CHECK(versions() == "3 2* 1 ");
  price_in_file("0.60");
  open();
  CHECK(versions() == "3 2 1* ");
  CHECK(price().find("0.60") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "Deck versions: one that became due while no switch ran has the calls (B-19)") {
  CHECK(put_rates("retail", csv_a, far_us).faults.empty());
  CHECK(put_rates("retail", csv_b, far_us + 1).faults.empty());
  let_pass_while_closed(2);
  for (int start = 0; start < 3; ++start) {
    CHECK(price_at_start() == "0.50");
    open();
    CHECK(price().find("0.50") != std::string::npos);
    CHECK(versions() == "3+ 2* 1 ");
  }
  CHECK(objects->deck_versions("retail").value().at(1).activated_at_us > 1);
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: a file with other rates goes before what became due") {
  CHECK(put_rates("retail", csv_a, far_us).faults.empty());
  let_pass_while_closed(2);
  price_in_file("0.70");
  CHECK(price_at_start() == "0.70");
  open();
  CHECK(versions() == "3* 2 1 ");
  CHECK(price().find("0.70") != std::string::npos);
  const auto all = objects->deck_versions("retail").value();
  CHECK(all.at(1).activated_at_us == 0);  // it never counted, and is not said to have
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: prices of one currency never become those of another") {
  const auto deck_in = [](const std::string& currency) {
    return R"({"currency": ")" + currency + R"(", "rates": [{"prefix": "44", "price": "100"}]})";
  };
  ProvisionChange change;
  change.puts.push_back({"rate_decks", "retail", deck_in("XTS"), std::nullopt});
  change.valid_from_us = far_us;
  CHECK(only_fault(objects->change(change)) ==
        "/currency: a planned version has the currency of its deck, USD, and not XTS");
  CHECK(put("rate_decks", "free", deck_in("USD")).created == 1);
  CHECK(put("rate_decks", "free", deck_in("XTS")).replaced == 1);
  CHECK(objects->deck_versions("free").value().size() == 2);  // the same digits are other prices
  CHECK(objects->roll_back_deck("free", 1).error().code == ErrorCode::wrong_state);
  CHECK(objects->schedule_deck("free", 1, far_us).error().code == ErrorCode::wrong_state);
  CHECK(put_rates("retail", csv_a).faults.empty());
  for (AccountConfig& account : config.provision.accounts)
    account.currency = "XTS";
  config.provision.rate_decks.at(0).currency = "XTS";
  open();
  CHECK(price().find("0.60") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "Deck versions: a database of the first release keeps its prices") {
  CHECK(put_rates("retail", csv_a, far_us).faults.empty());
  let_pass_while_closed(2);
  {
    auto connection = store::Connection::open(config.path(config.database)).value();
    REQUIRE(
        connection
            .execute("DROP TABLE file_decks; ALTER TABLE deck_versions DROP COLUMN currency; "
                     "DELETE FROM schema_migrations WHERE component = 'provision' AND number = 2")
            .ok());
  }
  CHECK(price_at_start() == "0.50");
  open();
  CHECK(versions() == "2* 1 ");
  CHECK(price().find("0.50") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "Deck versions: their number is bounded, the active one and plans stay") {
  CHECK(put_rates("retail", csv_a).faults.empty());
  CHECK(put_rates("retail", csv_b, far_us).faults.empty());
  for (int i = 0; i < 30; ++i) {
    CHECK(
        put_rates("retail", "prefix,price\n1,0." + std::to_string(100 + i) + "\n").faults.empty());
  }
  const auto all = objects->deck_versions("retail").value();
  CHECK(all.size() == deck_versions_max);
  CHECK(all.front().number == 33);
  CHECK(all.front().is_active);
  CHECK(all.back().number == 3);
  CHECK(all.back().due_at_us == far_us);
}

TEST_CASE("ProvisionStore: plans are found when they are due, the earliest first") {
  auto store = ProvisionStore::open(":memory:").value();
  ProvisionStore::Batch batch;
  for (const std::int64_t due : {300, 100, 200}) {
    ProvisionStore::NewVersion version;
    version.deck = "d";
    version.version.due_at_us = due;
    batch.versions.push_back(version);
  }
  REQUIRE(store->write(batch).ok());
  CHECK(store->due(99).value().empty());
  const auto due = store->due(250).value();
  REQUIRE(due.size() == 2);
  CHECK(due[0].number == 2);
  CHECK(due[1].number == 3);
  ProvisionStore::Batch activation;
  activation.activations.push_back({"d", 2, 100});
  REQUIRE(store->write(activation).ok());
  CHECK(store->due(250).value().size() == 1);
  CHECK(store->versions("d").value().at(1).is_active);
}

TEST_CASE_FIXTURE(Fixture,
                  "CSV of objects: what is written can be read, and errors name their row") {
  std::vector<std::size_t> rows;
  const auto read =
      objects_from_csv("vendor_gateways",
                       "id,addresses,prefixes,switch,priority\n"
                       "a,127.0.0.5 127.0.0.6,44 49,\"{\"\"stop_codes\"\":[503]}\",2\n"
                       "\n"
                       "b,127.0.0.7,,,\n",
                       &rows);
  REQUIRE(read.ok());
  REQUIRE(read->size() == 2);
  CHECK(rows == std::vector<std::size_t>{2, 4});
  ProvisionChange change;
  change.puts = *read;
  CHECK(objects->change(change).created == 2);
  const std::string text = objects_to_csv("vendor_gateways", *read);
  CHECK(text ==
        "id,addresses,priority,prefixes,switch\n"
        "a,127.0.0.5 127.0.0.6,2,44 49,\"{\"\"stop_codes\"\":[503]}\"\n"
        "b,127.0.0.7,,,\n");
  CHECK(objects_to_csv("vendor_gateways", objects_from_csv("vendor_gateways", text).value()) ==
        text);
  for (const auto& [bad, message] :
       {std::pair{"id,color\n", "row 1, column \"color\": column was unknown"},
        {"addresses\n", "row 1, column \"id\": column was missing"},
        {"id,id\n", "row 1, column \"id\": column was there twice"},
        {"id,addresses\na\n", "row 2: row had 1 cells, the header 2"},
        {"id,switch\na,{x\n", "row 2, column \"switch\": text is no JSON: "},
        {"id,addresses\n,1\n", "row 2, column \"id\": cell was empty"},
        {"", "row 1: header line was missing"}}) {
    CHECK(objects_from_csv("vendor_gateways", bad).error().message.starts_with(message));
  }
  CHECK(objects_from_csv("planets", "id\n").error().code == ErrorCode::not_found);
  const auto both =
      objects_from_csv("gateways", "kind,id,addresses\ncustomer,c,127.0.0.8\nvendor,v,127.0.0.9\n");
  REQUIRE(both.ok());
  CHECK(both->at(0).kind == "customer_gateways");
  CHECK(both->at(1).kind == "vendor_gateways");
  CHECK(objects_to_csv("gateways", *both).starts_with("kind,id,addresses\ncustomer,c,"));
  CHECK(objects_from_csv("gateways", "kind,id\nother,x\n").error().message ==
        "row 2, column \"kind\": it is neither customer nor vendor");
}

TEST_CASE("Provisioning: who looks on sees how far a change has come, and that it is over") {
  Fixture fixture;
  std::string csv = "prefix,price\n";
  for (int i = 0; i < 100'000; ++i)
    csv += std::to_string(100'000 + i) + ",0.1\n";
  const auto is_idle = [](const ProvisionProgress& seen) {
    return seen.step == ProvisionStep::idle && seen.done_bytes == 0 && seen.total_bytes == 0;
  };
  CHECK(is_idle(fixture.objects->progress()));
  bool has_seen_reading = false, has_seen_part = false;
  // A machine that does other things may not let the onlooker see it the first time.
  for (int attempt = 0; attempt < 50 && !(has_seen_reading && has_seen_part); ++attempt) {
    std::atomic<bool> is_looking{false}, is_over{false};
    int backwards = 0, wrong = 0;
    std::thread onlooker([&] {
      ProvisionProgress last;
      while (!is_over) {
        const ProvisionProgress seen = fixture.objects->progress();
        is_looking = true;
        if (seen.step != ProvisionStep::idle && seen.step < last.step) ++backwards;
        if (seen.done_bytes > csv.size()) ++wrong;
        has_seen_reading |= seen.step == ProvisionStep::reading && seen.total_bytes == csv.size();
        has_seen_part |= seen.done_bytes > 0 && seen.done_bytes < csv.size();
        last = seen;
      }
    });
    while (!is_looking)
      std::this_thread::yield();
    CHECK(fixture.put_rates("retail", csv).faults.empty());
    is_over = true;
    onlooker.join();
    CHECK(backwards == 0);
    CHECK(wrong == 0);
    CHECK(is_idle(fixture.objects->progress()));
  }
  CHECK(has_seen_reading);
  CHECK(has_seen_part);
  // A change that is not made ends like one that is.
  CHECK_FALSE(fixture.put_rates("retail", "prefix,price\nx y,1\n").faults.empty());
  CHECK(is_idle(fixture.objects->progress()));
  for (const ProvisionStep step :
       {ProvisionStep::idle, ProvisionStep::reading, ProvisionStep::building, ProvisionStep::tables,
        ProvisionStep::storing})
    CHECK(std::string(provision_step_name(step)) != "");
}
