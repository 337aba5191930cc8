// Bindings by the rules of RFC 3261 section 10.3.
#include "phone/registrar.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "phone/registration_store_sqlite.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::phone;

namespace {

constexpr std::int64_t second_us = 1'000'000;

SocketAddress at(std::string_view text) { return SocketAddress::parse(text, 5060).value(); }

/// A phone that registers: counts its requests and its nonces.
struct Client {
  RegisterRequest request;
  std::string call_id = "a";
  std::uint32_t cseq = 0;
  std::int64_t nonce = 0;

  Client() {
    request.source = at("192.0.2.1:5060");
    request.transport = SipTransport::udp;
    request.product = "phone";
  }
  Client& contact(const std::string& host, int expires_s = -1, int q = 1000) {
    OfferedContact one;
    one.uri = "sip:1001@" + host;
    one.identity = one.uri;
    if (auto address = SocketAddress::parse(host, 5060)) one.address = *address;
    one.expires_s = expires_s;
    one.q_thousandths = q;
    request.contacts.push_back(one);
    return *this;
  }
  RegistrationOutcome send(Registrar& registrar, std::int64_t now_us,
                           const RegistrationRules& rules = {}) {
    request.call_id = call_id;
    request.cseq = ++cseq;
    return registrar.apply("phone:1001", request, {++nonce, 1}, rules, now_us);
  }
};

std::vector<std::string> uris(const Registrar& registrar, std::int64_t now_us) {
  std::vector<std::string> found;
  for (const Contact& one : registrar.contacts("phone:1001", now_us))
    found.push_back(one.uri);
  return found;
}

using Change = RegistrationOutcome::Change;

}  // namespace

TEST_CASE(
    "Registrar: a browser is reached over the connection it made, and by nothing else (P-01)") {
  for (const SipTransport transport : {SipTransport::ws, SipTransport::wss}) {
    Registrar registrar;
    Client client;
    client.request.transport = transport;
    client.request.flow = {2, 7};
    client.contact("k3j2h.invalid");  // RFC 7118 section 5: it has no address of its own
    REQUIRE(client.send(registrar, 0).status == 200);
    const auto contacts = registrar.contacts("phone:1001", 1);
    REQUIRE(contacts.size() == 1);
    CHECK(contacts[0].transport == transport);
    CHECK(contacts[0].needs_flow);
    CHECK(contacts[0].flow == FlowId{2, 7});
    CHECK(contacts[0].destination == client.request.source);
    CHECK(registrar.lose_flow({2, 7}).size() == 1);
    CHECK_FALSE(registrar.is_online("phone:1001", 1));
  }
}

TEST_CASE("Registrar: a phone is on line from its REGISTER until its time is over (P-05)") {
  Registrar registrar;
  Client client;
  CHECK_FALSE(registrar.is_online("phone:1001", 0));
  const auto outcome = client.contact("192.0.2.1:5060", 60).send(registrar, 0);
  CHECK(outcome.status == 200);
  CHECK(outcome.change == Change::registered);
  REQUIRE(outcome.bound.size() == 1);
  CHECK(outcome.bound[0].expires_s == 60);
  CHECK(registrar.is_online("phone:1001", 59 * second_us));
  CHECK_FALSE(registrar.is_online("phone:1001", 60 * second_us));
  CHECK(registrar.expire(59 * second_us).empty());
  const auto gone = registrar.expire(60 * second_us);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].id == "phone:1001");
  CHECK(registrar.expire(61 * second_us).empty());
  CHECK(registrar.online() == 0);
}

TEST_CASE("Registrar: a refresh moves the end and is no change of place (P-05)") {
  Registrar registrar;
  Client client;
  client.contact("192.0.2.1:5060", 60);
  client.send(registrar, 0);
  const auto again = client.send(registrar, 30 * second_us);
  CHECK(again.change == Change::none);
  CHECK(registrar.is_online("phone:1001", 89 * second_us));
  CHECK(registrar.expire(60 * second_us).empty());
  CHECK(registrar.expire(90 * second_us).size() == 1);
}

TEST_CASE("Registrar: time is granted between the least and the most, 423 below (P-05)") {
  Registrar registrar;
  Client brief;
  const auto refused = brief.contact("192.0.2.1:5060", 19).send(registrar, 0);
  CHECK(refused.status == 423);
  CHECK(refused.min_expires_s == 20);
  CHECK_FALSE(registrar.is_online("phone:1001", 0));
  Client greedy;
  greedy.call_id = "b";
  greedy.nonce = 10;
  const auto capped = greedy.contact("192.0.2.1:5060", 100'000).send(registrar, 0);
  CHECK(capped.bound[0].expires_s == 3600);
  Client silent;
  silent.call_id = "c";
  silent.nonce = 20;
  silent.request.expires_s = 40;
  CHECK(silent.contact("192.0.2.1:5060").send(registrar, 0).bound[0].expires_s == 40);
  silent.request.expires_s = -1;
  CHECK(silent.send(registrar, 0).bound[0].expires_s == 3600);
}

TEST_CASE("Registrar: Contact * with Expires 0 takes all back, and nothing else does so") {
  Registrar registrar;
  Client client;
  client.contact("192.0.2.1:5060", 60).send(registrar, 0);
  Client all;
  all.call_id = "b";
  all.nonce = 10;
  all.request.is_wildcard = true;
  CHECK(all.send(registrar, 0).status == 400);
  all.request.expires_s = 60;
  CHECK(all.send(registrar, 0).status == 400);
  CHECK(registrar.is_online("phone:1001", 0));
  all.request.expires_s = 0;
  const auto outcome = all.send(registrar, 0);
  CHECK(outcome.status == 200);
  CHECK(outcome.change == Change::unregistered);
  CHECK(outcome.bound.empty());
  all.contact("192.0.2.1:5060", 60);
  CHECK(all.send(registrar, 0).status == 400);  // beside a contact
}

TEST_CASE("Registrar: what comes late within a Call-ID changes nothing (RFC 3261 10.3)") {
  Registrar registrar;
  Client client;
  client.cseq = 10;
  client.contact("192.0.2.1:5060", 60).send(registrar, 0);
  client.cseq = 4;
  client.request.contacts[0].expires_s = 0;
  CHECK(client.send(registrar, 0).status == 500);
  CHECK(registrar.is_online("phone:1001", 0));
  client.call_id = "restarted";
  CHECK(client.send(registrar, 0).status == 200);
  CHECK_FALSE(registrar.is_online("phone:1001", 0));
}

TEST_CASE(
    "Registrar: a repeated request gets the same answer, a repeated nonce a challenge (P-04)") {
  Registrar registrar;
  Client client;
  const auto first = client.contact("192.0.2.1:5060", 60).send(registrar, 0);
  client.cseq -= 1;
  client.nonce -= 1;
  const auto again = client.send(registrar, second_us);
  CHECK(again.status == 200);
  CHECK(again.change == Change::none);
  CHECK(again.bound.size() == first.bound.size());
  CHECK(registrar.expire(60 * second_us).size() == 1);  // it moved nothing
  client.nonce -= 1;
  CHECK(client.send(registrar, second_us).status == 401);
}

TEST_CASE("Registrar: a second device replaces the first, or stands beside it (P-05)") {
  for (const int most : {1, 2, 8}) {
    CAPTURE(most);
    Registrar registrar;
    RegistrationRules rules;
    rules.contacts_max = most;
    for (int i = 0; i < 10; ++i) {
      Client client;
      client.call_id = std::to_string(i);
      client.nonce = 100 * i;
      client.contact("192.0.2." + std::to_string(i + 1) + ":5060", 600)
          .send(registrar, i * second_us, rules);
    }
    const auto found = uris(registrar, 10 * second_us);
    REQUIRE(found.size() == static_cast<std::size_t>(most));
    CHECK(found[0] == "sip:1001@192.0.2.10:5060");  // the latest first
  }
}

TEST_CASE("Registrar: a higher q goes first (RFC 3261 10.2.1.2)") {
  Registrar registrar;
  RegistrationRules rules;
  rules.contacts_max = 3;
  Client client;
  client.contact("192.0.2.1:5060", 600, 100).contact("192.0.2.2:5060", 600, 900);
  client.contact("192.0.2.3:5060", 600, 500).send(registrar, 0, rules);
  CHECK(uris(registrar, 0) == std::vector<std::string>{"sip:1001@192.0.2.2:5060",
                                                       "sip:1001@192.0.2.3:5060",
                                                       "sip:1001@192.0.2.1:5060"});
}

TEST_CASE("Registrar: requests go to the contact, or back through the NAT (RFC 3581)") {
  const auto reached = [](const char* contact, const char* source, bool is_tcp = false) {
    OfferedContact one;
    if (auto address = SocketAddress::parse(contact, 5060)) one.address = *address;
    return reachable_address(one, at(source), is_tcp).to_string();
  };
  CHECK(reached("192.0.2.1:5070", "192.0.2.1:40000") == "192.0.2.1:5070");
  CHECK(reached("10.0.0.5:5060", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(reached("10.0.0.5:5060", "10.0.0.5:40000") == "10.0.0.5:5060");
  CHECK(reached("10.0.0.5:5060", "10.0.0.6:40000") == "10.0.0.6:40000");
  // Nobody makes the switch call a third party, a vendor or itself.
  CHECK(reached("192.0.2.1:5060", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(reached("phone.example.com", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(reached("0.0.0.0:5060", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(reached("10.0.0.5:5060", "198.51.100.7:40000", true) == "198.51.100.7:5060");
}

TEST_CASE("Registrar: who only asks between its end and the next tick changes nothing (10.3)") {
  Registrar registrar;
  RegistrationRules rules;
  Client client;
  client.contact("192.0.2.1:5060", 20).send(registrar, 0, rules);
  client.request.contacts.clear();
  client.send(registrar, 20 * second_us + 1, rules);
  CHECK(registrar.expire(21 * second_us).size() == 1);
  CHECK(registrar.expire(22 * second_us).empty());
  CHECK(registrar.online() == 0);
}

TEST_CASE("Registrar: who leaves between its end and the next tick is told of once (T-11)") {
  Registrar registrar;
  REQUIRE(Client().contact("192.0.2.1", 60).send(registrar, 0).change == Change::registered);
  Client leaver;
  leaver.call_id = "b";
  leaver.nonce = 10;
  const auto outcome = leaver.contact("192.0.2.1", 0).send(registrar, 60'500'000);
  CHECK(outcome.status == 200);
  CHECK(outcome.change == Change::unregistered);
  CHECK(outcome.address == at("192.0.2.1:5060"));
  CHECK(registrar.expire(61'000'000).empty());
}

TEST_CASE("Registrar: a gateway is found by where it is registered, and only while it is (A-03)") {
  Registrar registrar;
  RegistrationRules rules;
  rules.finds_by_source = true;
  Client client;
  client.request.source = at("198.51.100.7:40000");
  client.contact("10.0.0.5:5060", 60).send(registrar, 0, rules);
  CHECK(registrar.registrant_at(at("198.51.100.7:40000")) == "phone:1001");
  CHECK_FALSE(registrar.registrant_at(at("198.51.100.7:40001")));
  CHECK(registrar.is_at("phone:1001", at("198.51.100.7:40000"), 0));
  client.request.source = at("198.51.100.7:50000");
  client.send(registrar, second_us, rules);
  CHECK_FALSE(registrar.registrant_at(at("198.51.100.7:40000")));
  CHECK(registrar.registrant_at(at("198.51.100.7:50000")) == "phone:1001");
  registrar.expire(100 * second_us);
  CHECK_FALSE(registrar.registrant_at(at("198.51.100.7:50000")));
  client.send(registrar, 200 * second_us, rules);
  registrar.keep_only([](std::string_view) { return false; });
  CHECK_FALSE(registrar.registrant_at(at("198.51.100.7:50000")));
  CHECK(registrar.online() == 0);
}

TEST_CASE("Registrar: what is stored comes back as it was, but for what expired meanwhile (P-05)") {
  auto store = RegistrationStore::open(":memory:");
  REQUIRE(store.ok());
  const std::int64_t wall_minus_us = 1'700'000'000 * second_us;
  {
    Registrar registrar;
    RegistrationRules rules;
    rules.contacts_max = 2;
    Client client;
    client.contact("192.0.2.1:5060", 60).contact("192.0.2.2:5060", 600).send(registrar, 0, rules);
    CHECK(registrar.has_changes());
    REQUIRE((*store)->write(registrar.take_changes(wall_minus_us, 100)).ok());
    CHECK_FALSE(registrar.has_changes());
    // A refresh is stored when the last one is a while ago.
    client.send(registrar, second_us, rules);
    CHECK_FALSE(registrar.has_changes());
    client.send(registrar, 30 * second_us, rules);
    CHECK(registrar.has_changes());
  }
  // Another run, whose monotonic clock began anew.
  Registrar registrar;
  auto stored = (*store)->load();
  REQUIRE(stored.ok());
  REQUIRE(stored->size() == 1);
  const std::int64_t later_us = 100 * second_us;
  registrar.restore(std::move(stored->front()), {}, wall_minus_us + later_us, 0);
  CHECK(uris(registrar, 0) == std::vector<std::string>{"sip:1001@192.0.2.2:5060"});
  CHECK(registrar.is_online("phone:1001", 499 * second_us));
  CHECK_FALSE(registrar.is_online("phone:1001", 500 * second_us));
  registrar.keep_only([](std::string_view) { return false; });
  REQUIRE((*store)->write(registrar.take_changes(wall_minus_us, 100)).ok());
  CHECK((*store)->load()->empty());
}

TEST_CASE("Registrar: where it registered is stored too, and an older database has none (P-05)") {
  auto store = RegistrationStore::open(":memory:");
  REQUIRE(store.ok());
  Registrar registrar;
  Client client;
  client.request.local = at("192.0.2.100:5070");
  client.contact("192.0.2.1:5060", 600).send(registrar, 0);
  REQUIRE((*store)->write(registrar.take_changes(0, 100)).ok());
  auto stored = (*store)->load();
  REQUIRE(stored.ok());
  CHECK(stored->at(0).contacts.at(0).local == at("192.0.2.100:5070"));
  stored->at(0).contacts[0].local = {};
  REQUIRE((*store)->write(*stored).ok());
  CHECK((*store)->load()->at(0).contacts.at(0).local.port == 0);
}

TEST_CASE("Registrar: calls go to the proxy that the REGISTER came from, by its Path (RFC 3327)") {
  Registrar registrar;
  Client client;
  client.request.path = "<sip:edge@192.0.2.1:5080;lr>\n<sip:inner.example;lr>";
  client.request.edge = at("192.0.2.1:5080");
  client.contact("192.168.1.5:5060", 600);
  SUBCASE("that names itself") {
    client.request.edge_transport = SipTransport::tcp;
    client.send(registrar, 0);
    const Contact one = registrar.contacts("phone:1001", 0).at(0);
    CHECK(one.destination == at("192.0.2.1:5080"));
    CHECK(one.transport == SipTransport::tcp);
    CHECK_FALSE(one.is_behind_nat);
  }
  SUBCASE("that names somebody else") {
    client.request.edge = at("198.51.100.9:5060");
    client.send(registrar, 0);
    const Contact one = registrar.contacts("phone:1001", 0).at(0);
    CHECK(one.destination == client.request.source);
    CHECK(one.transport == SipTransport::udp);
  }
  SUBCASE("over its connection") {
    client.request.transport = SipTransport::tls;
    client.request.flow = {1, 2};
    client.send(registrar, 0);
    CHECK(registrar.contacts("phone:1001", 0).at(0).needs_flow);
    CHECK(registrar.lose_flow({1, 2}).size() == 1);
    return;
  }
  SUBCASE("whose Contact is where it is") {
    client.request.contacts.clear();
    client.contact("192.0.2.1:5060", 600).send(registrar, 0);
    CHECK(registrar.contacts("phone:1001", 0).at(0).destination == at("192.0.2.1:5080"));
  }
  CHECK(registrar.contacts("phone:1001", 0).at(0).path == client.request.path);
  // The proxy would answer for the phone.
  CHECK(registrar.over_udp(0, second_us, 1).empty());
  for (std::size_t part = 0; part < Registrar::parts; ++part) {
    CHECK(registrar.over_udp(part, second_us, 1).empty());
    CHECK(registrar.behind_nat(part, 1).empty());
  }
  auto store = RegistrationStore::open(":memory:");
  REQUIRE(store.ok());
  REQUIRE((*store)->write(registrar.take_changes(0, 100)).ok());
  CHECK((*store)->load()->at(0).contacts.at(0).path == client.request.path);
  // Another way is a move, no way one too.
  client.request.path = "<sip:edge@192.0.2.1:5080;lr>";
  CHECK(client.send(registrar, 1).change == Change::registered);
  client.request.path.clear();
  CHECK(client.send(registrar, 2).change == Change::registered);
  CHECK(client.send(registrar, 3).change == Change::none);
}

TEST_CASE("Registrar: changes are numbered in their order, and the last one is known (I-02)") {
  Registrar registrar;
  Client client;
  client.request.local = at("192.0.2.100:5060");
  CHECK_FALSE(registrar.presence("phone:1001", 0).best);
  CHECK(registrar.presence("phone:1001", 0).sequence == 0);
  const auto first = client.contact("192.0.2.1:5060", 60).send(registrar, 0);
  CHECK(first.sequence == 1);
  CHECK(first.source == client.request.source);
  CHECK(first.local == client.request.local);
  CHECK(client.send(registrar, second_us).sequence == 0);  // a refresh is none
  CHECK(registrar.presence("phone:1001", second_us).sequence == 1);
  CHECK(registrar.presence("phone:1001", second_us).best->local == client.request.local);
  const auto gone = registrar.expire(70 * second_us);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].sequence == 2);
  CHECK(gone[0].source == client.request.source);
  CHECK_FALSE(registrar.presence("phone:1001", 70 * second_us).best);
  CHECK(registrar.presence("phone:1001", 70 * second_us).sequence == 2);
  CHECK(client.send(registrar, 71 * second_us).sequence == 3);
  client.request.contacts[0].expires_s = 0;
  CHECK(client.send(registrar, 72 * second_us).sequence == 4);
}

TEST_CASE("Registrar: who is reached by a connection alone is gone with it (P-05, RFC 5626)") {
  Registrar registrar;
  RegistrationRules rules;
  rules.contacts_max = 2;
  Client client;
  client.request.transport = SipTransport::tcp;
  client.request.flow = {3, 7};
  SUBCASE("behind NAT") {
    client.contact("192.168.1.5:5060", 600).send(registrar, 0, rules);
    CHECK(registrar.lose_flow({3, 8}).empty());
    CHECK(registrar.is_online("phone:1001", 1));
    const auto gone = registrar.lose_flow({3, 7});
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].id == "phone:1001");
    CHECK_FALSE(registrar.is_online("phone:1001", 1));
    CHECK(registrar.online() == 0);
    CHECK(registrar.lose_flow({3, 7}).empty());
  }
  SUBCASE("a name as its host is no way back either") {
    client.contact("phone.example", 600).send(registrar, 0, rules);
    CHECK(registrar.lose_flow({3, 7}).size() == 1);
  }
  SUBCASE("that can be connected to") {
    client.contact("192.0.2.1:5060", 600).send(registrar, 0, rules);
    CHECK(registrar.lose_flow({3, 7}).empty());
    const auto contacts = registrar.contacts("phone:1001", 1);
    REQUIRE(contacts.size() == 1);
    CHECK_FALSE(contacts[0].flow.is_set());
  }
  SUBCASE("that has come back over another one before") {
    client.contact("192.168.1.5:5060", 600).send(registrar, 0, rules);
    client.request.flow = {3, 9};
    client.send(registrar, 1, rules);
    CHECK(registrar.lose_flow({3, 7}).empty());
    CHECK(registrar.is_online("phone:1001", 2));
    CHECK(registrar.lose_flow({3, 9}).size() == 1);
  }
  SUBCASE("with another device that stays") {
    client.contact("192.168.1.5:5060", 600).send(registrar, 0, rules);
    Client other;
    other.call_id = "b";
    other.nonce = 100;
    other.contact("192.0.2.1:5060", 600).send(registrar, 0, rules);
    CHECK(registrar.lose_flow({3, 7}).empty());
    CHECK(uris(registrar, 1) == std::vector<std::string>{"sip:1001@192.0.2.1:5060"});
  }
  SUBCASE("and with this run of the switch") {
    client.contact("192.168.1.5:5060", 600).send(registrar, 0, rules);
    const auto stored = registrar.take_changes(0, 100);
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].contacts.empty());
  }
}

TEST_CASE("Registrar: who is silent between registrations goes with the second question (P-05)") {
  Registrar registrar;
  Client client;
  client.contact("192.0.2.1:5060", 600).send(registrar, 0);
  const auto asked = [&](std::int64_t since_us, std::int64_t now_us) {
    std::vector<UdpBinding> found;
    for (std::size_t part = 0; part < Registrar::parts; ++part) {
      for (UdpBinding& one : registrar.over_udp(part, since_us, now_us))
        found.push_back(std::move(one));
    }
    return found;
  };
  const SocketAddress place = at("192.0.2.1:5060");
  REQUIRE(asked(0, 1).size() == 1);
  CHECK(asked(0, 1)[0].id == "phone:1001");
  CHECK(asked(0, 1)[0].destination == place);
  CHECK(asked(-1, 1).empty());               // it has registered since
  CHECK(asked(0, 600 * second_us).empty());  // its time is over
  CHECK_FALSE(registrar.note_check("phone:1001", place, 10, false));
  CHECK_FALSE(registrar.note_check("phone:1001", place, 20, true));
  CHECK_FALSE(registrar.note_check("phone:1001", place, 30, false));  // again the first
  CHECK_FALSE(registrar.note_check("phone:1001", at("192.0.2.9:5060"), 40, false));
  CHECK_FALSE(registrar.note_check("phone:1009", place, 40, false));
  REQUIRE(registrar.is_online("phone:1001", 50));
  client.send(registrar, 50);
  CHECK_FALSE(registrar.note_check("phone:1001", place, 49, false));  // asked before it registered
  CHECK_FALSE(registrar.note_check("phone:1001", place, 60, false));
  while (registrar.has_changes())
    (void)registrar.take_changes(0, 10);
  const auto gone = registrar.note_check("phone:1001", place, 70, false);
  REQUIRE(gone);
  CHECK(gone->id == "phone:1001");
  CHECK(gone->address == place);
  CHECK(gone->product == "phone");
  CHECK_FALSE(registrar.is_online("phone:1001", 80));
  CHECK(registrar.online() == 0);
  CHECK(registrar.has_changes());  // a restart must not bring it back
  CHECK(client.send(registrar, 90).change == Change::registered);
  // Of two devices the other one stays, and that is no news.
  client.request.contacts.clear();
  client.request.source = at("192.0.2.2:5060");
  client.contact("192.0.2.2:5060", 600).send(registrar, 100, {3600, 2, false});
  CHECK_FALSE(registrar.note_check("phone:1001", place, 110, false));
  CHECK_FALSE(registrar.note_check("phone:1001", place, 120, false));
  CHECK(uris(registrar, 130) == std::vector<std::string>{"sip:1001@192.0.2.2:5060"});
  // A connection tells its end by itself.
  Registrar others;
  Client over_tcp;
  over_tcp.request.transport = SipTransport::tcp;
  over_tcp.contact("192.0.2.1:5060", 600).send(others, 0);
  for (std::size_t part = 0; part < Registrar::parts; ++part)
    CHECK(others.over_udp(part, 0, 1).empty());
}

TEST_CASE("Registrar: agrees with a naive list of bindings over random requests (P-05)") {
  struct Binding {
    std::string call_id;
    std::uint32_t cseq = 0;
    std::int64_t ends_us = 0;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Registrar registrar;
    RegistrationRules rules;
    rules.contacts_max = 8;
    std::map<std::string, Binding> naive;
    std::int64_t now_us = 0, nonce = 0;
    std::uint32_t unique = 1000;
    std::pair<std::string, std::uint32_t> last;  // taken; once more, it is a repetition
    for (int step = 0; step < 300; ++step) {
      now_us += static_cast<std::int64_t>(random.below(30)) * second_us;
      std::erase_if(naive, [&](const auto& one) { return one.second.ends_us <= now_us; });
      RegisterRequest request;
      request.source = at("192.0.2.9:5060");
      request.transport = SipTransport::udp;
      const std::string call_id(1, static_cast<char>('a' + random.below(3)));
      request.call_id = call_id;
      request.cseq = random.below(4) == 0 ? static_cast<std::uint32_t>(random.below(50)) : ++unique;
      int expected = 200;
      auto after = naive;
      if (random.below(20) == 0) {
        request.is_wildcard = true;
        request.expires_s = 0;
        for (const auto& [uri, one] : naive)
          if (one.call_id == call_id && one.cseq >= request.cseq) expected = 500;
        after.clear();
      } else {
        OfferedContact contact;
        contact.uri = "sip:1001@192.0.2." + std::to_string(1 + random.below(5));
        contact.identity = contact.uri;
        contact.expires_s = random.below(5) == 0 ? 0 : static_cast<int>(15 + random.below(100));
        const auto known = naive.find(contact.uri);
        if (contact.expires_s > 0 && contact.expires_s < 20) {
          expected = 423;
        } else if (known != naive.end() && known->second.call_id == call_id &&
                   known->second.cseq >= request.cseq) {
          expected = 500;
        }
        after.erase(contact.uri);
        if (contact.expires_s > 0)
          after[contact.uri] = {call_id, request.cseq, now_us + contact.expires_s * second_us};
        request.contacts.push_back(contact);
      }
      const auto outcome = registrar.apply("phone:1001", request, {++nonce, 1}, rules, now_us);
      if (last == std::pair(call_id, request.cseq)) {
        expected = 200;
        after = naive;
      }
      CHECK(outcome.status == expected);
      if (expected == 200) {
        naive = after;
        last = {call_id, request.cseq};
      }
      std::vector<std::string> wanted;
      for (const auto& [uri, one] : naive)
        wanted.push_back(uri);
      auto found = uris(registrar, now_us);
      std::sort(found.begin(), found.end());
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("NonceWindow: each count of a nonce is good once, also out of order (RFC 7616)") {
  NonceWindow window;
  CHECK(window.use({100, 1}));
  CHECK_FALSE(window.use({100, 1}));
  CHECK(window.use({100, 5}));
  CHECK(window.use({100, 3}));
  CHECK_FALSE(window.use({100, 3}));
  CHECK(window.use({100, 200}));
  CHECK_FALSE(window.use({100, 100}));  // too far back to know
  CHECK_FALSE(window.use({101, 0}));    // counts begin at one
  for (std::int64_t nonce = 101; nonce <= 105; ++nonce)
    CHECK(window.use({nonce, 1}));
  CHECK_FALSE(window.use({100, 201}));  // forgotten counts as used
  CHECK(window.use({103, 2}));
}
