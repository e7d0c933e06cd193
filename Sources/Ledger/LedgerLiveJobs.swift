internal import GRDB
public import StreamModel

extension Ledger {
    /// Remembers which jobs the cluster at `address` has live, and that others have ended. A live run takes the place of earlier ones of its name;
    /// what is in neither list stays as it was.
    public func rememberLive(_ live: [LiveJob], ended: [JobID], address: String, at now: WallTime) throws(LedgerError) {
        try write { database in
            for job in live {
                try database.execute(
                    sql: "DELETE FROM live_job WHERE address = ? AND job_name = ? AND job <> ?", arguments: [address, job.name, job.id.description])
                try database.execute(
                    sql: "INSERT OR REPLACE INTO live_job (address, job, job_name, seen_at) VALUES (?, ?, ?, ?)",
                    arguments: [address, job.id.description, job.name, job.seenAt.milliseconds])
            }
            for job in ended {
                try database.execute(sql: "DELETE FROM live_job WHERE address = ? AND job = ?", arguments: [address, job.description])
            }
            let oldest = now + (0 - LiveJob.listedAfterEnd)
            try database.execute(sql: "DELETE FROM live_job WHERE seen_at < ?", arguments: [oldest.milliseconds])
        }
    }

    /// The jobs of the cluster at `address` that were last seen live, and so lately that their end would still be listed; by name.
    public func liveJobs(address: String, at now: WallTime) throws(LedgerError) -> [LiveJob] {
        do {
            return try inspect { database in
                try Row.fetchAll(
                    database, sql: "SELECT job, job_name, seen_at FROM live_job WHERE address = ? AND seen_at >= ? AND seen_at <= ? ORDER BY job_name, job",
                    arguments: [address, (now + (0 - LiveJob.listedAfterEnd)).milliseconds, now.milliseconds]
                ).compactMap { row in
                    guard let id: String = row["job"], let job = JobID(id), let name: String = row["job_name"], let seenAt: Int64 = row["seen_at"] else {
                        return nil
                    }
                    return LiveJob(id: job, name: name, seenAt: WallTime(milliseconds: seenAt))
                }
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }
}
