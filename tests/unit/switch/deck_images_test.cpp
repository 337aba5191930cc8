#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rating/deck_image.hpp"
#include "switch/deck_images.hpp"
#include "switch/deck_source.hpp"
#include "switch/provisioning.hpp"
#include "tandem/clock.hpp"
#include "unit/cdr/fault_disk.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;
using cdr::test::FaultDisk;

namespace {

constexpr std::size_t rows = DeckImages::rates_min;

std::string rates_csv(int first_price, std::size_t count = rows) {
  std::string csv = "prefix,area,price\n";
  for (std::size_t i = 0; i < count; ++i) {
    csv += std::to_string(20'000 + i) + ",Area " + std::to_string(i / 7) + ",0.";
    csv += std::to_string(100 + (static_cast<std::size_t>(first_price) + i) % 900) + "\n";
  }
  return csv;
}

RateDeck deck_of_rates(const std::string& csv, const std::string& id = "retail") {
  RateDeck::Builder builder(id, "USD");
  std::vector<Rate> rates = parse_deck_csv(csv, "test").value();
  for (Rate& rate : rates)
    REQUIRE(builder.add(std::move(rate)).ok());
  return builder.build().value();
}

/// A store with one version of one deck, and images on a disk that fails when told to.
struct Fixture {
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  std::shared_ptr<ProvisionStore> store = ProvisionStore::open(":memory:").value();
  SimulatedClock clock;
  DeckSource source{store, std::make_unique<DeckImages>(disk, "/decks"), clock};
  RateDeck deck = deck_of_rates(rates_csv(0));
  DeckVersion version = add(deck);

  DeckVersion add(const RateDeck& added) {
    ProvisionStore::NewVersion made;
    made.deck = added.id();
    made.csv = to_csv(added);
    made.currency = "USD";
    made.version.digest = digest_of_text(made.csv);
    made.version.rows = added.size();
    made.version.is_active = true;
    ProvisionStore::Batch batch;
    batch.versions.push_back(made);
    REQUIRE(store->write(batch).ok());
    return store->versions(added.id()).value().front();
  }
  [[nodiscard]] std::string path() const { return "/decks/" + version.digest + ".image"; }
  DeckSource::Wanted wanted() const { return {deck, version.digest}; }
  /// Reads the deck, which is the right one whatever the disk holds; "image" or "text".
  std::string way() {
    const DeckReading before = source.reading();
    const auto read = source.read("retail", "USD", version);
    if (!read) return read.error().message;
    CHECK(rating::have_equal_rates(*read, deck));
    CHECK(read->id() == "retail");
    CHECK(read->currency() == "USD");
    const DeckReading after = source.reading();
    CHECK(after.from_images + after.from_texts == before.from_images + before.from_texts + 1);
    return after.from_images > before.from_images ? "image" : "text";
  }
  std::size_t missing() { return source.sweep({wanted()}).value().size(); }
};

/// A switch that takes each change.
class Host final : public ProvisionHost {
 public:
  explicit Host(SwitchConfig config) : config_(std::move(config)) {}
  [[nodiscard]] SwitchConfig config_in_force() const override { return config_; }
  [[nodiscard]] std::string account_currency(std::string_view) const override { return {}; }
  Result<void> install(SwitchConfig config, const std::function<Result<void>()>& commit) override {
    if (auto done = commit(); !done) return done;
    config_ = std::move(config);
    return freeze_decks(config_.provision.rate_decks);
  }
  [[nodiscard]] std::int64_t wall_us() const override { return 1'800'000'000'000'000; }

 private:
  SwitchConfig config_;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "deck images: a deck is read the long way once, then from its image") {
  CHECK(way() == "text");
  CHECK(missing() == 1);
  REQUIRE(source.write_image(wanted()).ok());
  CHECK(disk->paths() == std::vector{path()});
  CHECK(missing() == 0);
  CHECK(way() == "image");
  CHECK(source.reading().refusals.empty());
}

TEST_CASE_FIXTURE(Fixture, "deck images: small decks have none") {
  const RateDeck small = deck_of_rates(rates_csv(0, rows - 1), "small");
  version = add(small);
  deck = small;
  REQUIRE(source.write_image(wanted()).ok());
  REQUIRE(source.read("small", "USD", version).ok());
  CHECK(source.reading().from_texts == 1);
}

TEST_CASE_FIXTURE(Fixture, "deck images: one that is not right is not taken, and written again") {
  REQUIRE(source.write_image(wanted()).ok());
  const std::string image = disk->content(path());
  for (std::size_t at = 0; at < image.size(); at += 2'503) {
    CAPTURE(at);
    disk->content(path())[at] = static_cast<char>(image[at] ^ 0x20);
    CHECK(way() == "text");
    CHECK(source.reading().refusals.size() == std::min<std::size_t>(at / 2'503 + 1, 64));
    disk->content(path()) = image;
  }
  for (const std::string& other : {std::string(), image.substr(0, image.size() / 2), image + "x",
                                   std::string(image.size(), '\0')}) {
    disk->content(path()) = other;
    CHECK(way() == "text");
  }
  CHECK(missing() == 1);
  REQUIRE(source.write_image(wanted()).ok());
  CHECK(disk->content(path()) == image);
  CHECK(missing() == 0);
  CHECK(way() == "image");
}

TEST_CASE_FIXTURE(Fixture, "deck images: one of other rates under the digest is not taken") {
  const RateDeck other = deck_of_rates(rates_csv(1));
  const std::string digest = digest_of_text(to_csv(other));
  REQUIRE(source.write_image({other, digest}).ok());
  disk->put(path(), disk->content("/decks/" + digest + ".image"));
  CHECK(way() == "text");
  CHECK(source.reading().refusals.at(0).find("other rates") != std::string::npos);
  // One that lies about its digest still has to have as many rates as the version.
  DeckImages images(disk, "/decks");
  REQUIRE(images.write(deck_of_rates(rates_csv(0, rows + 1)), version.digest).ok());
  CHECK(way() == "text");
}

TEST_CASE_FIXTURE(Fixture, "deck images: a deck that is not what its digest says has none") {
  REQUIRE(source.write_image({deck_of_rates(rates_csv(1)), version.digest}).ok());
  CHECK(disk->paths().empty());
}

TEST_CASE_FIXTURE(Fixture, "deck images: a digest that could be a path is none") {
  DeckImages images(disk, "/decks");
  const std::string path = "../../" + version.digest.substr(6);
  CHECK(images.write(deck, path).error().code == ErrorCode::invalid_argument);
  CHECK(images.read(path, "retail", "USD").error().code == ErrorCode::not_found);
}

TEST_CASE_FIXTURE(Fixture, "deck images: whichever write or flush fails, no half image is left") {
  for (const bool is_sync : {false, true}) {
    int failures = 0;
    for (std::uint64_t n = 1;; ++n) {
      CAPTURE(n);
      (is_sync ? disk->fail_sync_in : disk->fail_write_in) = n;
      const auto written = source.write_image(wanted());
      const bool is_past = (is_sync ? disk->fail_sync_in : disk->fail_write_in) != 0;
      disk->heal();
      if (written) {
        CHECK(is_past);
        break;
      }
      ++failures;
      for (const std::string& name : disk->paths())
        CHECK(name == path());  // its name may not be durable yet
      const std::string taken = way();
      CHECK((taken == "image" || taken == "text"));
      CHECK(source.reading().refusals.empty());
      (void)disk->remove(path());  // so that the next one begins as this one did
    }
    CHECK(failures >= (is_sync ? 2 : 1));
    (void)disk->remove(path());
  }
}

TEST_CASE_FIXTURE(Fixture, "deck images: a power cut leaves an image, none, or one not taken") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SeededRandom random(seed);
    disk->fail_sync_in = 1 + random.below(3);
    disk->fails_on = true;
    (void)source.write_image(wanted());  // may fail, and what is left is looked at
    disk->cut_power(random);
    const std::string taken = way();
    CHECK((taken == "image" || taken == "text"));
    (void)missing();
  }
}

TEST_CASE_FIXTURE(Fixture, "deck images: a sweep takes what no deck has, and nothing else") {
  REQUIRE(source.write_image(wanted()).ok());
  const std::string other = "/decks/" + std::string(64, 'e');
  disk->put(other + ".image", "old");
  disk->put(other + ".image.new", "torn");
  disk->put(path() + ".new", "torn");
  disk->put("/decks/notes.txt", "mine");
  disk->put("/decks/short.image", "mine");
  CHECK(missing() == 0);
  auto left = disk->paths();
  std::sort(left.begin(), left.end());
  std::vector<std::string> expected = {path(), "/decks/notes.txt", "/decks/short.image"};
  std::sort(expected.begin(), expected.end());
  CHECK(left == expected);
}

TEST_CASE("deck images: the images follow the decks that are in force") {
  auto disk = std::make_shared<FaultDisk>();
  const SimulatedClock clock;
  const cdr::test::TemporaryFolder folder;
  auto reading = read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}})", folder.path());
  REQUIRE(reading.errors.empty());
  Host host(std::move(reading.config));
  auto source = std::make_shared<DeckSource>(ProvisionStore::open(":memory:").value(),
                                             std::make_unique<DeckImages>(disk, "/decks"), clock);
  Provisioning::Body objects(host, source);
  const auto put = [&](const std::string& deck, const std::string& csv) {
    ProvisionChange change;
    change.puts.push_back({"rate_decks", deck, "", csv});
    REQUIRE(objects.change(change).faults.empty());
  };
  const auto keep = [&] {
    for (int i = 0; i < 4; ++i)
      REQUIRE(objects.keep_images().ok());
    std::vector<std::string> digests;
    for (const std::string& path : disk->paths())
      digests.push_back(path.substr(7, 64));
    return digests;
  };
  const auto digest = [](const std::string& csv) {
    return digest_of_text(to_csv(deck_of_rates(csv)));
  };
  CHECK(keep().empty());
  put("a", rates_csv(0));
  put("b", rates_csv(0));
  put("c", rates_csv(5));
  put("small", "prefix,price\n44,0.60\n");
  std::vector<std::string> both = {digest(rates_csv(0)), digest(rates_csv(5))};
  std::sort(both.begin(), both.end());
  CHECK(keep() == both);  // two decks share one
  put("a", rates_csv(9));
  put("b", rates_csv(9));
  std::vector<std::string> changed = {digest(rates_csv(9)), digest(rates_csv(5))};
  std::sort(changed.begin(), changed.end());
  CHECK(keep() == changed);
  REQUIRE(objects.roll_back_deck("a", std::nullopt).ok());  // from the text: its image has gone
  CHECK(keep().size() == 3);
  ProvisionChange removal;
  removal.removals = {{"rate_decks", "a"}, {"rate_decks", "b"}, {"rate_decks", "c"}};
  REQUIRE(objects.change(removal).faults.empty());
  CHECK(keep().empty());
  // What cannot be written is told once, until decks change.
  disk->fail_write_in = 1;
  disk->fails_on = true;
  put("a", rates_csv(0));
  CHECK(objects.keep_images().error().code == ErrorCode::io);
  CHECK(objects.keep_images().ok());
  CHECK(disk->paths().empty());
  disk->heal();
  put("b", rates_csv(5));
  CHECK(keep() == both);
}
