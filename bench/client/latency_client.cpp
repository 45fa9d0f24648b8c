/// Times single SQL queries: sends each parameter of a file to $1 of a statement and notes how long
/// the answer took.
///
///     latency_client CONNINFO PARAMETERS TYPE_OID binary|text SESSIONS prepared|unprepared
///
/// PARAMETERS: uint32 n, then n times { uint32 bytes; the value }, little endian.
/// TYPE_OID: the type of $1. SESSIONS: connections, one thread each.
///
/// Commands are read from stdin, each ended by a zero byte; each is answered by one line on stdout,
/// `ok ...` or `error MESSAGE`, as is the start. End of input ends the program.
///
///     exec SQL     run SQL on every connection
///     query SQL    the statement to time; its first column is an id, int4 or int8
///     run FILE     one round: n times SESSIONS executions, each taken by the next free session;
///                  answers `ok NANOSECONDS ERROR`: from the first start to the last end, and the
///                  first error if there was one
///     take N FILE  N executions, shared likewise, beginning with the parameter after the last
///                  taken one and after the last with the first; answers as `run` does
///
/// FILE: uint64 answers, uint64 ids;
///       answers times { int64 nanoseconds; int32 query; int32 rows, -1 for an error };
///       the ids (int64) of all answers, one after the other; NULL is -1.
///
/// A latency runs from sending the execution to having its whole result; decoding is not part.

#include <arpa/inet.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "connection.hpp"

namespace nearest::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBinary = 1;
constexpr Oid kInt4 = 23, kInt8 = 20;
constexpr std::int64_t kNullId = -1;
constexpr const char* kStatementName = "bench";

struct Options {
  const char* conninfo;
  const char* parameters;
  Oid type;
  int format;
  int sessions;
  bool prepared;
};

/// In the output file, hence with fixed widths.
struct Answer {
  std::int64_t nanoseconds;
  std::int32_t query;
  std::int32_t rows;
};
static_assert(sizeof(Answer) == 16);

struct SessionLog {
  std::vector<Answer> answers;
  std::vector<std::int64_t> ids;
  std::string first_error;
  Clock::time_point begin, end;
};

std::vector<std::string> read_parameters(const char* path) {
  std::ifstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit | std::ios::eofbit);
  const auto read_count = [&file] {
    std::uint32_t count;
    file.read(reinterpret_cast<char*>(&count), sizeof count);
    return count;
  };
  std::vector<std::string> parameters(read_count());
  for (std::string& parameter : parameters) {
    parameter.resize(read_count());
    file.read(parameter.data(), static_cast<std::streamsize>(parameter.size()));
  }
  return parameters;
}

/// What is wrong with the answer to a query; empty if it is a list of ids.
std::string problem(PGconn* connection, const PGresult* result) {
  if (PQresultStatus(result) != PGRES_TUPLES_OK) return one_line(PQerrorMessage(connection));
  const Oid type = PQftype(result, 0);
  if (type != kInt4 && type != kInt8) return "the first column of the query is not int4 or int8";
  return {};
}

/// The first column of a row without problem, as an id.
std::int64_t read_id(const PGresult* result, int row) {
  if (PQgetisnull(result, row, 0)) return kNullId;
  std::uint32_t words[2];
  std::memcpy(words, PQgetvalue(result, row, 0), static_cast<std::size_t>(PQfsize(result, 0)));
  if (PQftype(result, 0) == kInt4) return static_cast<std::int32_t>(ntohl(words[0]));
  return static_cast<std::int64_t>(std::uint64_t{ntohl(words[0])} << 32 | ntohl(words[1]));
}

/// All connections and what is run on them. One thread per connection during a round, none between
/// rounds.
class Runner {
 public:
  explicit Runner(const Options& options)
      : options_(options), parameters_(read_parameters(options.parameters)) {
    for (int i = 0; i < options.sessions; ++i) connections_.push_back(connect(options.conninfo));
  }

  void execute(const std::string& sql) {
    for (const Connection& connection : connections_)
      check(connection.get(), Result(PQexec(connection.get(), sql.c_str())).get());
  }

  /// Prepares anew even if the text is the same: settings may have changed what the best plan is.
  void set_query(const std::string& sql) {
    sql_ = sql;
    if (!options_.prepared) return;
    execute("DEALLOCATE ALL");
    for (const Connection& connection : connections_) {
      const Result result(
          PQprepare(connection.get(), kStatementName, sql.c_str(), 1, &options_.type));
      check(connection.get(), result.get());
    }
  }

  std::string run_round(const std::string& path) {
    return execute_range(0, parameters_.size() * connections_.size(), path);
  }

  std::string take(std::size_t executions, const std::string& path) {
    const std::size_t begin = taken_;
    taken_ += executions;
    return execute_range(begin, taken_, path);
  }

 private:
  /// Executions `begin` to `end`; number i has parameter i modulo their number.
  std::string execute_range(std::size_t begin, std::size_t end, const std::string& path) {
    std::vector<SessionLog> logs(connections_.size());
    for (SessionLog& log : logs) log.answers.reserve(end - begin);
    std::atomic<std::size_t> next{begin};
    std::latch all_ready(options_.sessions);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < logs.size(); ++i) {
      threads.emplace_back([this, i, end, &logs, &next, &all_ready] {
        all_ready.arrive_and_wait();
        run_session(connections_[i].get(), next, end, logs[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    write(path, logs);
    return summary(logs);
  }

  void run_session(PGconn* connection, std::atomic<std::size_t>& next, std::size_t end_execution,
                   SessionLog& log) const {
    log.begin = Clock::now();
    for (std::size_t i; (i = next.fetch_add(1)) < end_execution;) {
      const std::size_t query = i % parameters_.size();
      const auto begin = Clock::now();
      const Result result = ask(connection, parameters_[query]);
      const auto end = Clock::now();
      const std::string failure = problem(connection, result.get());
      const int rows = failure.empty() ? PQntuples(result.get()) : -1;
      log.answers.push_back(
          {std::chrono::nanoseconds(end - begin).count(), static_cast<std::int32_t>(query), rows});
      if (log.first_error.empty()) log.first_error = failure;
      for (int row = 0; row < rows; ++row) log.ids.push_back(read_id(result.get(), row));
    }
    log.end = Clock::now();
  }

  Result ask(PGconn* connection, const std::string& parameter) const {
    const char* value = parameter.data();
    const int length = static_cast<int>(parameter.size());
    return Result(options_.prepared ? PQexecPrepared(connection, kStatementName, 1, &value, &length,
                                                     &options_.format, kBinary)
                                    : PQexecParams(connection, sql_.c_str(), 1, &options_.type,
                                                   &value, &length, &options_.format, kBinary));
  }

  static void write(const std::string& path, const std::vector<SessionLog>& logs) {
    std::uint64_t counts[2] = {};
    for (const SessionLog& log : logs) {
      counts[0] += log.answers.size();
      counts[1] += log.ids.size();
    }
    std::ofstream file(path, std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit);
    const auto put = [&file](const void* data, std::size_t bytes) {
      file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
    };
    put(counts, sizeof counts);
    for (const SessionLog& log : logs) put(log.answers.data(), log.answers.size() * sizeof(Answer));
    for (const SessionLog& log : logs) put(log.ids.data(), log.ids.size() * sizeof(std::int64_t));
  }

  static std::string summary(const std::vector<SessionLog>& logs) {
    Clock::time_point begin = logs.front().begin, end = logs.front().end;
    std::string first_error;
    for (const SessionLog& log : logs) {
      begin = std::min(begin, log.begin);
      end = std::max(end, log.end);
      if (first_error.empty()) first_error = log.first_error;
    }
    return std::to_string(std::chrono::nanoseconds(end - begin).count()) + ' ' + first_error;
  }

  Options options_;
  std::vector<std::string> parameters_;
  std::vector<Connection> connections_;
  std::string sql_;
  std::size_t taken_ = 0;
};

std::string take(Runner& runner, const std::string& argument) {
  std::size_t digits = 0;
  const std::size_t executions = std::stoul(argument, &digits);
  return runner.take(executions, argument.substr(digits + 1));
}

std::string obey(Runner& runner, const std::string& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string command = line.substr(0, space);
  const std::string argument = line.substr(std::min(space + 1, line.size()));
  if (command == "run") return runner.run_round(argument);
  if (command == "take") return take(runner, argument);
  if (command == "exec")
    runner.execute(argument);
  else if (command == "query")
    runner.set_query(argument);
  else
    throw std::runtime_error("no such command: " + command);
  return {};
}

Options parse(char** argv) {
  return {.conninfo = argv[1],
          .parameters = argv[2],
          .type = static_cast<Oid>(std::stoul(argv[3])),
          .format = std::string_view(argv[4]) == "binary" ? kBinary : 0,
          .sessions = std::stoi(argv[5]),
          .prepared = std::string_view(argv[6]) == "prepared"};
}

int serve(const Options& options) {
  Runner runner(options);
  std::cout << "ok" << std::endl;
  for (std::string line; std::getline(std::cin, line, '\0');) {
    try {
      const std::string reply = obey(runner, line);
      std::cout << "ok " << reply << std::endl;
    } catch (const std::exception& failure) {
      std::cout << "error " << failure.what() << std::endl;
    }
  }
  return 0;
}

}  // namespace
}  // namespace nearest::bench

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: latency_client CONNINFO PARAMETERS TYPE_OID binary|text SESSIONS "
                 "prepared|unprepared\n";
    return 2;
  }
  try {
    return nearest::bench::serve(nearest::bench::parse(argv));
  } catch (const std::exception& failure) {
    std::cout << "error " << failure.what() << std::endl;
    return 1;
  }
}
