package database

// Migrations of a test take the place of the real ones.
var MigrateFrom = (*DB).migrate

// Kept is how many statements are kept prepared for the writer and for the readers.
func (db *DB) Kept() (writer, readers int) { return len(db.written.ready), len(db.asked.ready) }
