package headwater;

import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connect.service.SparkConnectService$;

/**
 * Spark Connect with the settings that it is given.
 *
 * <p>The stock main insists on a class loader for each session. Spark keeps the code that it generates by class loader, so
 * every session would compile the same query anew, and Java would make it fast anew.
 */
public final class ConnectServer {
    public static void main(String[] args) throws Exception {
        SparkSession session = SparkSession.builder().getOrCreate();
        try {
            SparkConnectService$.MODULE$.start(session.sparkContext());
            SparkConnectService$.MODULE$.server().awaitTermination();
        } finally {
            session.stop();
        }
    }
}
