// What keeps the names of gateways up to date, without a switch around it.
#include "switch/name_keeper.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::test;

namespace {

constexpr std::int64_t second_us = 1'000'000;

sip::Location host(const std::string& name) {
  sip::Location what;
  what.name = name;
  what.port = 5060;  // addresses alone are asked for
  return what;
}

struct Fixture {
  FakeNetwork network;
  FakeLoop& loop = network.create_loop();
  SeededRandom random{3};
  int news = 0;
  NameKeeper keeper{loop, random, config(), {}, [this] { ++news; }};
  std::vector<std::string> asked;  // bytes of questions
  bool answers = true;
  int id =
      network.bind(at("10.0.0.53:53"), [this](const SocketAddress& from, std::string_view bytes) {
        asked.emplace_back(bytes);
        if (!answers) return;
        // The question as it came, with one address behind it.
        std::string answer(bytes);
        answer[2] = '\x81';
        answer[3] = '\x80';
        answer[7] = '\1';
        const std::size_t end = answer.find('\0', 12) + 5;  // name, type and class
        answer.resize(end);
        answer[11] = '\0';
        answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1", 16);
        network.send(at("10.0.0.53:53"), from, answer);
      });

  static io::DnsResolverConfig config() {
    io::DnsResolverConfig config;
    config.servers = {at("10.0.0.53:53")};
    return config;
  }
  /// How many questions a name was asked for; letters come in any case.
  int questions(const std::string& label) const {
    int count = 0;
    for (const std::string& bytes : asked) {
      std::string lower = bytes;
      for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      count += lower.find(label) != std::string::npos ? 1 : 0;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("NameKeeper: an order that the loop had no room for is given again") {
  Fixture f;
  f.loop.refuses_posts = true;
  f.keeper.want({host("sip.example.com")});
  f.network.run_for(5 * second_us);
  CHECK(f.asked.empty());
  f.loop.refuses_posts = false;
  f.keeper.repeat_order();
  f.network.run_for(second_us);
  CHECK(f.questions("example") == 1);
  REQUIRE(f.keeper.located().size() == 1);
  CHECK(f.keeper.located().begin()->second.places.size() == 1);
  CHECK(f.news == 1);
  const int posts = f.loop.posts;
  f.keeper.repeat_order();  // nothing waits
  CHECK(f.loop.posts == posts);
}

TEST_CASE("NameKeeper: orders may change while look-ups are under way") {
  Fixture f;
  f.answers = false;
  f.keeper.want({host("first.example.com"), host("second.example.com")});
  f.network.run_for(second_us / 2);
  CHECK(f.keeper.located().empty());
  f.keeper.want({host("second.example.com"), host("third.example.com")});
  f.answers = true;
  f.network.run_for(5 * second_us);
  const call::LocatedNames located = f.keeper.located();
  CHECK(located.size() == 2);
  CHECK(located.count("first.example.com:5060/udp4") == 0);
  for (const auto& [key, found] : located)
    CHECK(found.places.size() == 1);
  CHECK(f.questions("second") >= 1);
}

TEST_CASE("NameKeeper: many names settle with two questions each at most") {
  Fixture f;
  std::vector<sip::Location> many;
  for (int i = 0; i < 300; ++i)
    many.push_back(host("n" + std::to_string(i) + ".example.com"));
  f.keeper.want(many);
  f.network.run_for(2 * second_us);
  CHECK(f.keeper.located().size() == 300);
  CHECK(f.asked.size() == 300);
}
