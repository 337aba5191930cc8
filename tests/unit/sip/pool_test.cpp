// Memory of a worker: what a burst took goes back, and a steady load takes nothing anew.
#include "sip/pool.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sip/chain_table.hpp"
#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;

namespace {

struct Thing {
  explicit Thing(std::uint32_t slot, std::uint64_t number = 0) : slot_(slot), value(number) {}
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  std::uint32_t slot_;
  std::uint64_t value;
};

constexpr std::size_t per_chunk = 256;

/// As many turns as a chunk has to be empty for, and the one in which it goes.
template <class Pool>
void rest(Pool& pool, std::uint32_t turns = Upkeep::rest_turns + 1) {
  for (std::uint32_t i = 0; i < turns; ++i) {
    Upkeep upkeep;
    pool.keep_up(upkeep);
  }
}

template <class Pool>
std::size_t turns_until_settled(Pool& pool, std::size_t most) {
  std::size_t turns = 0;
  for (; !pool.is_settled() && turns < most; ++turns)
    rest(pool, 1);
  return turns;
}

struct Entry {
  std::uint64_t hash = 0;
  Entry* next = nullptr;
  Entry** link = nullptr;
};
using EntryTable = ChainTable<Entry, &Entry::hash, &Entry::next, &Entry::link>;

bool holds(const EntryTable& table, const Entry& wanted) {
  for (const Entry* entry = table.chain(wanted.hash); entry != nullptr; entry = entry->next) {
    if (entry == &wanted) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("SlabPool: what a burst took goes back, but for the first chunk") {
  SlabPool<Thing> pool;
  std::vector<Thing*> things;
  for (std::uint64_t i = 0; i < 10 * per_chunk; ++i)
    things.push_back(&pool.create(i));
  const std::size_t chunk_bytes = pool.bytes_held() / 10;
  for (Thing* const thing : things)
    pool.destroy(*thing);
  CHECK(pool.bytes_held() == 10 * chunk_bytes);
  rest(pool, Upkeep::rest_turns);
  CHECK(pool.bytes_held() == 10 * chunk_bytes);  // a pause so short is none
  CHECK_FALSE(pool.is_settled());
  rest(pool, 1);
  CHECK(pool.bytes_held() == chunk_bytes);
  CHECK(pool.is_settled());
  CHECK(pool.at(0) == nullptr);
  CHECK(pool.at(9 * per_chunk) == nullptr);
  CHECK(pool.create().slot() < per_chunk);
}

TEST_CASE("SlabPool: a chunk stays while one object of it lives, and its slot finds it") {
  SlabPool<Thing> pool;
  std::vector<Thing*> things;
  for (std::uint64_t i = 0; i < 8 * per_chunk; ++i)
    things.push_back(&pool.create(i));
  const std::size_t chunk_bytes = pool.bytes_held() / 8;
  Thing& kept = *things[5 * per_chunk + 17];
  for (Thing* const thing : things) {
    if (thing != &kept) pool.destroy(*thing);
  }
  rest(pool);
  CHECK(pool.bytes_held() == 2 * chunk_bytes);
  REQUIRE(pool.at(kept.slot()) == &kept);
  CHECK(kept.value == 5 * per_chunk + 17);
  CHECK(pool.at(3 * per_chunk) == nullptr);
  CHECK(pool.at(7 * per_chunk) == nullptr);
  CHECK(pool.at(1'000'000) == nullptr);

  // The first places come first, then numbers of chunks that are gone.
  std::vector<std::uint32_t> slots;
  for (std::size_t i = 0; i < 2 * per_chunk; ++i)
    slots.push_back(pool.create().slot());
  CHECK(slots.front() < per_chunk);
  CHECK(slots[per_chunk] / per_chunk == 5);  // that one has room for all but one
  CHECK(slots.back() / per_chunk == 1);
  CHECK(pool.bytes_held() == 3 * chunk_bytes);
  std::size_t visited = 0;
  pool.for_each([&](Thing&) { ++visited; });
  CHECK(visited == 2 * per_chunk + 1);
  CHECK(pool.live() == visited);
}

TEST_CASE("SlabPool: a turn gives back no more than it may") {
  SlabPool<Thing> pool;
  std::vector<Thing*> things;
  for (std::uint64_t i = 0; i < 101 * per_chunk; ++i)
    things.push_back(&pool.create(i));
  const std::size_t chunk_bytes = pool.bytes_held() / 101;
  for (Thing* const thing : things)
    pool.destroy(*thing);
  rest(pool, Upkeep::rest_turns);
  std::vector<std::size_t> chunks;
  for (int i = 0; i < 4; ++i) {
    rest(pool, 1);
    chunks.push_back(pool.bytes_held() / chunk_bytes);
  }
  CHECK(chunks == std::vector<std::size_t>{69, 37, 5, 1});

  SlabPool<Thing> other;  // what one pool has used of a turn, the next one has not
  Upkeep spent;
  spent.releases = 0;
  for (std::uint64_t i = 0; i < 3 * per_chunk; ++i)
    things[i] = &other.create(i);
  for (std::uint64_t i = 0; i < 3 * per_chunk; ++i)
    other.destroy(*things[i]);
  for (int i = 0; i < 20; ++i)
    other.keep_up(spent);
  CHECK(other.bytes_held() == 3 * chunk_bytes);
}

TEST_CASE("SlabPool: a steady load takes no memory that it gave back before") {
  SlabPool<Thing> pool;
  std::deque<Thing*> alive;
  const auto turn = [&](int number) {
    constexpr std::size_t waves[] = {5'000, 4'300, 3'600, 4'300};
    const std::size_t wanted = waves[number % 4];
    for (int i = 0; i < 400 || alive.size() < wanted; ++i)
      alive.push_back(&pool.create());
    for (; alive.size() > wanted; alive.pop_front())
      pool.destroy(*alive.front());
    rest(pool, 1);
  };
  for (int i = 0; i < 40; ++i)
    turn(i);
  const std::size_t held_bytes = pool.bytes_held();
  std::size_t least_bytes = held_bytes;
  std::size_t most_bytes = held_bytes;
  for (int i = 0; i < 200; ++i) {
    turn(i);
    least_bytes = std::min(least_bytes, pool.bytes_held());
    most_bytes = std::max(most_bytes, pool.bytes_held());
  }
  CHECK(least_bytes == held_bytes);
  CHECK(most_bytes == held_bytes);
}

TEST_CASE("SlabPool: a load that falls leaves the last chunks") {
  SlabPool<Thing> pool;
  std::deque<Thing*> alive;
  std::minstd_rand random(7);
  for (int i = 0; i < 20'000; ++i)
    alive.push_back(&pool.create());
  const std::size_t full_bytes = pool.bytes_held();
  // A tenth of it from now on, in which whatever comes lives as long as what there was.
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 100 && alive.size() > 2'000; ++i) {
      std::swap(alive.front(), alive[random() % alive.size()]);
      pool.destroy(*alive.front());
      alive.pop_front();
    }
    for (int i = 0; i < 20; ++i) {
      alive.push_back(&pool.create());
      pool.destroy(*alive.front());
      alive.pop_front();
    }
    rest(pool, 1);
  }
  for (int i = 0; i < 20'000; ++i) {  // until none of those is left that began beside the many
    alive.push_back(&pool.create());
    pool.destroy(*alive.front());
    alive.pop_front();
  }
  rest(pool, 12);
  CHECK(pool.bytes_held() < full_bytes / 8);
}

TEST_CASE(
    "BufferPool: strings of all sizes come back as they were, whatever is given back between") {
  BufferPool pool;
  std::minstd_rand random(3);
  std::vector<std::pair<std::string, char*>> kept;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 300; ++i) {
      std::string text(1 + random() % (random() % 10 == 0 ? 8'000 : 400),
                       static_cast<char>('a' + i % 26));
      char* const block = pool.keep(text);
      kept.emplace_back(std::move(text), block);
    }
    for (int i = 0; i < 250; ++i) {
      const std::size_t index = random() % kept.size();
      BufferPool::give_back(kept[index].second);
      kept[index] = std::move(kept.back());
      kept.pop_back();
    }
    if (round % 20 == 19) {
      for (std::size_t i = 100; i < kept.size(); ++i)
        BufferPool::give_back(kept[i].second);
      kept.resize(100);
    }
    rest(pool, 1);
    std::size_t wrong = 0;
    for (const auto& [text, block] : kept)
      wrong += BufferPool::view(block) == text ? 0 : 1;
    CHECK(wrong == 0);
  }
  for (const auto& entry : kept)
    BufferPool::give_back(entry.second);
  CHECK(pool.bytes_used() == 0);
}

TEST_CASE("BufferPool: slabs go back when the last of their blocks has ended") {
  BufferPool pool;
  const std::string text(390, 'x');
  std::vector<char*> blocks;
  for (int i = 0; i < 5'000; ++i)
    blocks.push_back(pool.keep(text));
  if (!BufferPool::is_pooling) {
    for (char* const block : blocks)
      BufferPool::give_back(block);
    CHECK(pool.bytes_held() == 0);
    return;
  }
  const std::size_t full_bytes = pool.bytes_held();
  CHECK(full_bytes >= 5'000 * text.size());
  CHECK(full_bytes < 5'000 * (text.size() + 8) * 4 / 3 + 65'536);
  for (char* const block : blocks)
    BufferPool::give_back(block);
  rest(pool, Upkeep::rest_turns);
  CHECK(pool.bytes_held() == full_bytes);
  CHECK(turns_until_settled(pool, 10) >= 1);
  CHECK(pool.bytes_held() == 65'536);
  char* const again = pool.keep(text);
  CHECK(BufferPool::view(again) == text);
  CHECK(pool.bytes_held() == 65'536);
  BufferPool::give_back(again);
}

TEST_CASE("BufferPool: four bytes of a string are not its own") {
  if (!BufferPool::is_pooling) return;
  BufferPool pool;
  char* const block = pool.keep("0123456789ab");
  CHECK(pool.bytes_used() == 16);
  char* const longer = pool.keep("0123456789abc");
  CHECK(pool.bytes_used() == 16 + 24);
  BufferPool::give_back(block);
  BufferPool::give_back(longer);
}

TEST_CASE("ChainTable: finds what it holds while it grows and shrinks") {
  EntryTable table(65'536);
  std::minstd_rand random(11);
  std::vector<Entry> entries(12'000);
  for (Entry& entry : entries)
    entry.hash = random() * 0x9e3779b97f4a7c15ULL;
  for (std::size_t i = 0; i < 100; ++i)
    entries[i].hash = 42;   // a chain as long as these
  std::size_t present = 0;  // entries[0..present) are in it
  std::size_t wrong = 0;
  const auto check = [&] {
    for (std::size_t i = 0; i < entries.size(); ++i)
      wrong += holds(table, entries[i]) == (i < present) ? 0 : 1;
  };
  for (const std::size_t aim : {12'000U, 300U, 5'000U, 4'000U, 0U, 12'000U, 0U}) {
    while (present != aim) {
      if (present < aim) {
        table.insert(entries[present++]);
      } else {
        table.remove(entries[--present]);
      }
      if (present % 1'000 == 500) check();
    }
    check();
    for (int i = 0; i < 8; ++i) {
      Upkeep upkeep;
      table.keep_up(upkeep);
    }
    check();
  }
  CHECK(wrong == 0);
  table.remove(entries[0]);  // of no table
  CHECK(table.is_settled());
}

TEST_CASE(
    "ChainTable: its memory follows the number of entries, a turn joins no more than it may") {
  EntryTable table(std::size_t{1} << 20);
  const std::size_t least_bytes = table.bytes_held();
  CHECK(least_bytes == EntryTable::buckets_min * sizeof(void*));
  std::vector<Entry> entries(100'000);
  std::size_t divided_most = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].hash = i * 0x9e3779b97f4a7c15ULL;
    const std::size_t before = table.buckets();
    table.insert(entries[i]);
    divided_most = std::max(divided_most, table.buckets() - before);
  }
  CHECK(divided_most == EntryTable::buckets_per_entry);
  CHECK(table.buckets() == 400'000);
  Upkeep idle;
  table.keep_up(idle);
  CHECK(idle.merges == Upkeep().merges);  // nothing to do at this load,
  for (std::size_t i = 0; i < 60'000; ++i)
    table.remove(entries[i]);
  table.keep_up(idle);
  CHECK(table.buckets() == 400'000);  // nor at two fifths of it

  for (std::size_t i = 60'000; i < entries.size(); ++i)
    table.remove(entries[i]);
  Upkeep one;
  table.keep_up(one);
  CHECK(one.merges == 0);
  CHECK(table.buckets() == 400'000 - Upkeep().merges);
  CHECK(turns_until_settled(table, 100) < 50);
  CHECK(table.buckets() == EntryTable::buckets_min);
  CHECK(table.bytes_held() == least_bytes);
}

TEST_CASE("ChainTable: an empty one comes to rest, however few entries it had") {
  EntryTable table(65'536);
  std::vector<Entry> entries(300);  // so many that it grew, and too few to shrink for
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].hash = i * 0x9e3779b97f4a7c15ULL;
    table.insert(entries[i]);
  }
  CHECK(table.buckets() == 1'200);
  Upkeep one;
  table.keep_up(one);
  CHECK(table.buckets() == 1'200);
  for (Entry& entry : entries)
    table.remove(entry);
  table.keep_up(one);
  CHECK(table.is_settled());
}

TEST_CASE("ChainTable: grows no further than it may") {
  EntryTable table(2'048);
  std::vector<Entry> entries(4'000);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].hash = i * 0x9e3779b97f4a7c15ULL;
    table.insert(entries[i]);
  }
  CHECK(table.buckets() == 2'048);
  std::size_t found = 0;
  for (const Entry& entry : entries)
    found += holds(table, entry) ? 1 : 0;
  CHECK(found == entries.size());
  for (Entry& entry : entries)
    table.remove(entry);
}

TEST_CASE("Stack: what a burst of calls took goes back once its transactions have ended") {
  sip::test::Stack stack;
  sip::test::Peer b(stack.network, "127.0.0.1:6000");  // answers nothing
  const auto burst = [&] {
    for (int i = 0; i < 1'500; ++i)
      stack.dial();
    stack.run_ms(1'000);
    const std::uint64_t held_bytes = stack.counters().memory_bytes.load();
    stack.run_ms(32'000);
    stack.calls().legs.clear();
    stack.run_ms(10'000);
    CHECK(stack.transactions() == 0);
    return held_bytes;
  };
  const std::uint64_t peak_bytes = burst();
  const std::uint64_t rest_bytes = stack.counters().memory_bytes.load();
  CHECK(peak_bytes > rest_bytes + 500'000);
  // As much the next time, and no less goes back.
  CHECK(burst() == peak_bytes);
  CHECK(stack.counters().memory_bytes.load() == rest_bytes);
}
