import java.nio.file.Paths;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene912.Lucene912Codec;
import org.apache.lucene.codecs.lucene99.Lucene99HnswScalarQuantizedVectorsFormat;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.store.FSDirectory;

/** A segment of two fields of vectors, the second of which two documents of three have. */
class TwoFields {
  public static void main(String[] args) throws Exception {
    KnnVectorsFormat format = new Lucene99HnswScalarQuantizedVectorsFormat(16, 100, 1, 4, true, 1.0f, null);
    IndexWriterConfig config = new IndexWriterConfig().setUseCompoundFile(false).setCodec(new Lucene912Codec() {
      @Override public KnnVectorsFormat getKnnVectorsFormatForField(String field) { return format; }
    });
    try (FSDirectory folder = FSDirectory.open(Paths.get(args[0])); IndexWriter writer = new IndexWriter(folder, config)) {
      for (int i = 0; i < 10; i++) {
        Document document = new Document();
        document.add(new KnnFloatVectorField("all", vector(i, 8), VectorSimilarityFunction.EUCLIDEAN));
        if (i % 3 < 2) document.add(new KnnFloatVectorField("some", vector(i, 6), VectorSimilarityFunction.MAXIMUM_INNER_PRODUCT));
        writer.addDocument(document);
      }
      writer.commit();
    }
  }

  static float[] vector(int i, int length) {
    float[] x = new float[length];
    for (int j = 0; j < length; j++) x[j] = ((i * 7 + j * 5) % 13 - 6) / 8f;
    return x;
  }
}
